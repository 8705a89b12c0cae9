import type { Journal, JournalOwner, OpenedJournal } from '../journal/journal.ts';
import type { Head } from '../journal/line.ts';
import type { BrokenPlace } from '../journal/read.ts';
import type { DecisionRequest, Opinion, Outcome, Proposal } from '../proposal.ts';
import { advised, applied, decide, expiredBy, type Refusal } from './decide.ts';
import { parseEvent, type QueueEvent } from './event.ts';
import type { Limits } from './limits.ts';
import { carryOver, EMPTY, type Entry, reduce, type State } from './state.ts';
import { type Draft, submit } from './submit.ts';

export type Submitted =
  | { readonly ok: true; readonly proposal: Proposal; readonly isNew: boolean }
  /** `taken`: this report was taken in before. `unchanged`: the target holds just what is proposed. */
  | { readonly ok: false; readonly cause: 'refused' | 'read-only' | 'taken' | 'unchanged'; readonly reason: string };

export type Changed = { readonly ok: true; readonly proposal: Proposal } | Refusal;

/** Told of each change of the queue, once it is on disk. */
export type Listener = (proposal: Proposal) => void;

/** The queue as its users see it: nothing it says is undone by a crash. */
export interface Desk {
  /** As of what is on disk. */
  readonly state: State;
  readonly head: Head;
  /** Why nothing can be written; undefined while all is well. */
  readonly readOnly: string | undefined;
  /** What was refused and merged since the start. */
  readonly counts: { readonly refused: number; readonly merged: number };
  find(id: string): Entry | undefined;
  submit(draft: Draft): Promise<Submitted>;
  /** `currentHash`: of what the target holds now; undefined where there is no target. */
  decide(id: string, request: DecisionRequest, currentHash: string | undefined): Promise<Changed>;
  outcome(id: string, outcome: Omit<Outcome, 'time'>): Promise<Changed>;
  /** Puts a model's advice beside a proposal that waits. */
  advise(id: string, opinion: Omit<Opinion, 'time'>): Promise<Changed>;
  /** Ends the task that stands for a proposal; the proposal stays. False where that could not be written down. */
  cancelTask(id: string): Promise<boolean>;
  /** Ends what has expired. */
  expire(): Promise<void>;
  /** Ends what waits about a target that has changed since. `readHashes`: of what the targets hold. */
  dropStale(readHashes: () => Promise<ReadonlyMap<string, string>>): Promise<void>;
  subscribe(listener: Listener): () => void;
  /** Waits for what is being written, and lets go of the log. */
  close(): Promise<void>;
}

export interface DeskOptions {
  readonly limits: Limits;
  readonly now: () => Date;
  /** Opens the log for its owner. */
  readonly open: (owner: JournalOwner) => Promise<OpenedJournal>;
  /** The log can no longer be written; or could never be believed. */
  readonly onReadOnly: (reason: string) => void;
  /** A last record without an end was put aside. */
  readonly onTorn: (file: string) => void;
}

/**
 * Opens the queue. A log that cannot be believed gives a desk on which nothing can be done. Rejects with the error of the file
 * system where there is no log and none can be made.
 */
export async function openDesk({ limits, now, open, onReadOnly, onTorn }: DeskOptions): Promise<Desk> {
  let state = EMPTY;
  /** With what waits to be written: what comes next is judged by it, so that two cannot both be the last one allowed. */
  let ahead = EMPTY;
  let carriedLeft = 0;
  let readOnly: string | undefined;
  const listeners = new Set<Listener>();
  /** How often a proposal was made, where that is not written down. */
  const repeats = new Map<string, number>();
  const counts = { refused: 0, merged: 0 };

  const owner: JournalOwner = {
    take: ({ event, time }) => {
      const parsed = parseEvent(event);
      if (parsed === undefined) return 'says what this version does not know';
      if ((parsed.type === 'carried') !== carriedLeft > 0) return 'is not among those that were carried over';
      carriedLeft = parsed.type === 'continued' ? parsed.carried : Math.max(0, carriedLeft - 1);
      const next = reduce(state, parsed, time);
      if (typeof next === 'string') return next;
      state = next;
      if (parsed.type === 'continued' || parsed.type === 'carried') return undefined;
      tell(parsed.id);
      return undefined;
    },
    carryOver: (before) => carryOver(state, before),
    onFailure: (reason) => lock(`its log cannot be written: ${reason}`),
  };

  const opened = await open(owner);
  const journal: Journal | undefined = opened.ok ? opened.journal : undefined;
  ahead = state;
  if (!opened.ok) lock(`its log cannot be believed: ${describeBroken(opened.broken)}`);
  else if (opened.tornFile !== undefined) onTorn(opened.tornFile);

  function lock(reason: string): void {
    readOnly = reason;
    onReadOnly(reason);
  }

  function tell(id: string): void {
    const proposal = state.entries.get(id)?.proposal;
    if (proposal === undefined) return;
    for (const listener of listeners) listener(seen(proposal));
  }

  /** With the repeats that are not written down. */
  function seen(proposal: Proposal): Proposal {
    const times = repeats.get(proposal.id) ?? 0;
    return times > proposal.times ? { ...proposal, times } : proposal;
  }

  async function commit(event: QueueEvent): Promise<boolean> {
    if (journal === undefined || readOnly !== undefined) return false;
    const time = now().toISOString();
    const next = reduce(ahead, event, time);
    if (typeof next === 'string') throw new Error(`the queue cannot take what it decided itself: it ${next}`);
    ahead = next;
    try {
      await journal.append(event, time);
      return true;
    } catch {
      return false;
    }
  }

  async function change(
    id: string,
    judge: (proposal: Proposal) => { readonly ok: true; readonly event: QueueEvent } | Refusal,
  ): Promise<Changed> {
    if (readOnly !== undefined) return unavailable(readOnly);
    const entry = ahead.entries.get(id);
    if (entry === undefined) return { ok: false, status: 404, title: 'not found', detail: `There is no ${id}.` };
    const judged = judge(entry.proposal);
    if (!judged.ok) return judged;
    if (!(await commit(judged.event))) return unavailable(readOnly ?? 'its log was closed');
    const { proposal } = state.entries.get(id) ?? entry;
    return { ok: true, proposal: seen(proposal) };
  }

  return {
    get state() {
      return state;
    },
    get head() {
      return journal?.head ?? { seq: 0, hash: '' };
    },
    get readOnly() {
      return readOnly;
    },
    counts,
    find(id) {
      const entry = state.entries.get(id);
      return entry === undefined ? undefined : { ...entry, proposal: seen(entry.proposal) };
    },
    async submit(draft) {
      if (readOnly !== undefined) return { ok: false, cause: 'read-only', reason: readOnly };
      const made = submit(ahead, draft, now().getTime(), limits, (id) => repeats.get(id) ?? 0);
      if (made.kind === 'taken') return { ok: false, cause: 'taken', reason: 'it was taken in before' };
      if (made.kind === 'unchanged') {
        return { ok: false, cause: 'unchanged', reason: `${draft.target} holds exactly this already` };
      }
      if (made.kind === 'refused') {
        counts.refused++;
        return { ok: false, cause: 'refused', reason: made.reason };
      }
      if (made.kind === 'same') {
        counts.merged++;
        const known = ahead.entries.get(made.id)?.proposal.times ?? 0;
        repeats.set(made.id, Math.max(repeats.get(made.id) ?? 0, known) + 1);
        for (const id of repeats.keys()) if (!ahead.entries.has(id)) repeats.delete(id);
      }
      const isKnown = made.event === undefined && state.entries.has(made.id);
      const repeated: QueueEvent = { type: 'repeated', id: made.id, times: repeats.get(made.id) ?? 1 };
      const isWritten = isKnown || (await commit(made.event ?? repeated));
      const proposal = state.entries.get(made.id)?.proposal;
      if (!isWritten || proposal === undefined) {
        return { ok: false, cause: 'read-only', reason: readOnly ?? 'its log was closed' };
      }
      return { ok: true, proposal: seen(proposal), isNew: made.kind === 'new' };
    },
    async decide(id, request, currentHash) {
      const entry = ahead.entries.get(id);
      const isStale = entry !== undefined && currentHash !== undefined && currentHash !== entry.currentHash;
      if (isStale && entry.proposal.status === 'pending' && readOnly === undefined) {
        await commit({ type: 'stale', id });
        const detail = `${entry.proposal.target} has changed since ${id} was proposed. It has to be proposed anew.`;
        return { ok: false, status: 409, title: 'stale', detail };
      }
      return change(id, (proposal) => decide(proposal, request, now().getTime()));
    },
    outcome: (id, outcome) => change(id, (proposal) => applied(proposal, outcome)),
    advise: (id, opinion) => change(id, (proposal) => advised(proposal, opinion)),
    async cancelTask(id) {
      const entry = ahead.entries.get(id);
      return entry !== undefined && commit({ type: 'task-cancelled', id, cancelled: entry.cancelled + 1 });
    },
    async expire() {
      const proposals = [...ahead.entries.values()].map(({ proposal }) => proposal);
      await Promise.all(expiredBy(proposals, now().getTime()).map(commit));
    },
    async dropStale(readHashes) {
      // Only what was there before the files were read: what comes later was made from what they hold by then.
      const ids = [...ahead.entries.keys()];
      const hashes = await readHashes();
      const stale = ids
        .flatMap((id) => ahead.entries.get(id) ?? [])
        .filter(({ proposal: { status, target }, currentHash }) => {
          const held = hashes.get(target);
          return status === 'pending' && held !== undefined && held !== currentHash;
        });
      await Promise.all(stale.map(({ proposal: { id } }) => commit({ type: 'stale', id })));
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await journal?.close();
    },
  };
}

/** `journal-000000000001.jsonl:3 (record 3, byte 812): it was changed: its hash is another`. */
export function describeBroken({ file, line, offset, seq, reason }: BrokenPlace): string {
  return `${file}:${line} (record ${seq}, byte ${offset}): it ${reason}`;
}

function unavailable(reason: string): Refusal {
  return { ok: false, status: 503, title: 'read-only', detail: `supervise decides nothing: ${reason}.` };
}
