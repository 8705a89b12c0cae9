import type { Outcome } from '../supervise/proposal.ts';
import { unifiedDiff } from '../text/unified-diff.ts';
import { planChange } from './change.ts';
import type { BegunChange, ChangeJournal } from './journal.ts';
import { type Approved, KINDS, READERS, type TargetName } from './kinds.ts';
import { isTorn } from './target-file.ts';

/** What came of an approval, as it is told to supervise. */
export type Result = Omit<Outcome, 'time'>;

/** Whether a daemon goes by what a file says now. */
export type InForce = { readonly ok: true; readonly seen: string } | { readonly ok: false; readonly reason: string };

/** Everything that applying does to the world. Each call that returns has happened, also if the power fails then. */
export interface Effects {
  readonly journal: ChangeJournal;
  /** What the file holds; undefined where it is not there. Throws where it cannot be read. */
  read(file: TargetName): string | undefined;
  write(file: TargetName, text: string | undefined): void;
  /** Makes a daemon read its files again. Resolves with why it could not be told, as the end of a sentence. */
  reload(daemon: string): Promise<string | undefined>;
  /** Waits until a daemon goes by this text of the file, for as long as that may take. Never rejects. */
  inForce(daemon: string, file: TargetName, text: string | undefined): Promise<InForce>;
  /** Puts a Dockerfile where whoever rebuilds finds it; resolves with what the operator has to do. */
  handOver(approved: Approved): string;
}

/** What came of it. `settle` is called once that has been reported: until then the approval can be taken up again. */
export interface AppliedApproval {
  readonly result: Result;
  settle(): void;
}

/**
 * Applies an approval whose decision is on disk. May be killed at any moment: called again, it ends as applied, or with all as it was
 * before. Throws where another approval of the same file has begun and not ended, and where a file cannot be read or written.
 */
export async function applyApproval(approved: Approved, effects: Effects): Promise<AppliedApproval> {
  const { writes } = KINDS[approved.kind];
  if (writes === undefined) return over({ result: 'applied', detail: DECISION_IS_ALL, diff: '' });
  if (writes === 'Dockerfile') {
    const diff = unifiedDiff('Dockerfile', approved.current, approved.wanted);
    return over({ result: 'applied', detail: effects.handOver(approved), diff });
  }
  const begun = effects.journal.read(writes);
  if (begun !== undefined && begun.id !== approved.id) {
    throw new Error(
      `another change of ${writes}, ${begun.id}, has begun and not ended; end it first: bottled proposals approve ${begun.id}`,
    );
  }
  const change = begun ?? (await begin(approved, writes, effects));
  const result = 'result' in change ? change : await carryOut(change, writes, effects);
  return { result, settle: () => effects.journal.remove(writes) };
}

const DECISION_IS_ALL = 'nothing is written for this: whoever asked goes by the decision';

function over(result: Result): AppliedApproval {
  return { result, settle: () => {} };
}

/** Plans the change and writes down that it begins; or says why nothing does. */
async function begin(approved: Approved, file: TargetName, effects: Effects): Promise<BegunChange | Result> {
  const held = effects.read(file);
  const change = await planChange(approved, file, held);
  if (change.kind === 'refused') {
    return { result: 'failed', detail: `${change.cause}: ${change.reason}; nothing was written`, diff: '' };
  }
  const begun = { id: approved.id, before: held ?? null, after: change.after };
  if (change.kind === 'write') effects.journal.write(file, begun);
  return begun;
}

async function carryOut({ before, after }: BegunChange, file: TargetName, effects: Effects): Promise<Result> {
  const old = before ?? undefined;
  const found = effects.read(file);
  if (found !== after) {
    if (found !== old && !(found !== undefined && isTorn(found, old ?? '', after))) return leaveAlone(file);
    effects.write(file, after);
  }
  const now = await takeEffect(file, after, effects);
  if (now.ok) {
    return {
      result: 'applied',
      detail: `${file} is written and in force: ${now.seen}`,
      diff: unifiedDiff(file, old, after),
    };
  }
  if (old === after) {
    return { result: 'failed', detail: `${file} says so already, but it is not in force: ${now.reason}`, diff: '' };
  }
  return takeBack(file, old, now.reason, effects);
}

function leaveAlone(file: TargetName): Result {
  const detail = `somebody else has changed ${file} since this approval began; it is left as it is, look at it`;
  return { result: 'failed', detail, diff: '' };
}

async function takeBack(file: TargetName, old: string | undefined, reason: string, effects: Effects): Promise<Result> {
  effects.write(file, old);
  const back = await takeEffect(file, old, effects);
  const state = back.ok
    ? 'and what was in force before is again'
    : `but what is in force now is not known: ${back.reason}`;
  return { result: 'failed', detail: `${reason}; ${file} was put back, ${state}`, diff: '' };
}

/** Makes all that read the file read it again, and waits until they go by it. */
async function takeEffect(file: TargetName, text: string | undefined, effects: Effects): Promise<InForce> {
  const seen: string[] = [];
  for (const daemon of READERS[file]) {
    // They watch their files as well: whether they go by it is what counts.
    const deaf = await effects.reload(daemon);
    const now = await effects.inForce(daemon, file, text);
    if (!now.ok) return { ok: false, reason: deaf === undefined ? now.reason : `${now.reason} (${daemon} ${deaf})` };
    seen.push(now.seen);
  }
  return { ok: true, seen: seen.join('; ') };
}
