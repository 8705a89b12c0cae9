import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Proposal } from '../proposal.ts';
import { isAnswered, type State } from '../queue/state.ts';

/** What a daemon reads in `decisions/<shown>.json`. `verdict: expired` means no, as `rejected` does. */
export interface DecisionFile {
  readonly id: string;
  readonly kind: Proposal['kind'];
  readonly source: string;
  /** The hash of exactly what was decided about: {@link shownHash} of the report's kind and facts. */
  readonly shown: string;
  readonly verdict: 'approved' | 'rejected' | 'expired';
  readonly by: string;
  readonly reason: string;
  readonly time: string;
}

/** Decisions about reports, as files that the daemons can read. */
export interface Decisions {
  /** Writes the decision, at once and whole; does nothing where there is none. Rejects with the error of the file system. */
  write(proposal: Proposal): Promise<void>;
  /** Writes what is missing, and removes what the queue no longer knows. */
  bringUpToDate(state: State): Promise<void>;
}

/** Makes the directory where it is missing. Throws the error of the file system. */
export function createDecisions(directory: string): Decisions {
  mkdirSync(directory, { recursive: true });
  // The umask may have taken from the mode, and other users have to read what is in it.
  chmodSync(directory, 0o755);

  async function write(proposal: Proposal): Promise<void> {
    const decision = decisionOf(proposal);
    if (decision === undefined) return;
    const path = join(directory, `${proposal.shown}.json`);
    const draft = `${path}.${randomBytes(6).toString('hex')}.draft`;
    try {
      const handle = await open(draft, 'wx', 0o644);
      try {
        await handle.writeFile(`${JSON.stringify(decision)}\n`);
        await handle.chmod(0o644);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  async function bringUpToDate({ entries }: State): Promise<void> {
    const proposals = [...entries.values()].map(({ proposal }) => proposal);
    const kept = new Set(proposals.filter((one) => decisionOf(one) !== undefined).map(({ shown }) => `${shown}.json`));
    const present = new Set(readdirSync(directory));
    for (const name of present) if (!kept.has(name)) rmSync(join(directory, name), { force: true });
    // Of the same report that was made again, the last one holds: they come oldest first.
    for (const proposal of proposals) if (!present.has(`${proposal.shown}.json`)) await write(proposal);
  }

  return { write, bringUpToDate };
}

function decisionOf(proposal: Proposal): DecisionFile | undefined {
  const { id, kind, source, shown, status, decision, created, expires } = proposal;
  const isReport = kind === 'gitleaks-allow' || kind === 'egress-token-allow' || kind === 'tool-ask';
  if (!isReport || !isAnswered(proposal)) return undefined;
  const asked = { id, kind, source, shown };
  if (decision === null || status === 'expired') {
    return { ...asked, verdict: 'expired', by: '', reason: 'nobody decided in time', time: expires ?? created };
  }
  const verdict = decision.verdict === 'approved' ? 'approved' : 'rejected';
  return { ...asked, verdict, by: decision.by, reason: decision.reason, time: decision.time };
}
