import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Decision, decisionName } from '../../reports/decision.ts';
import { REPORTED } from '../../reports/report.ts';
import type { Proposal } from '../proposal.ts';
import { isAnswered, type State } from '../queue/state.ts';

/** Decisions about reports, as files that the daemons can read. */
export interface Decisions {
  /** Writes what has become of a report, at once and whole; does nothing for what is none. Rejects with the error of the file system. */
  write(proposal: Proposal): Promise<void>;
  /** Writes what is missing or of before, and removes what the queue no longer knows. */
  bringUpToDate(state: State): Promise<void>;
}

/** Makes the directory where it is missing. Throws the error of the file system. */
export function createDecisions(directory: string): Decisions {
  mkdirSync(directory, { recursive: true });
  // The umask may have taken from the mode, and other users have to read what is in it.
  chmodSync(directory, 0o755);
  let last = Promise.resolve();

  /** One after the other, so that what came last is what stays. */
  function write(proposal: Proposal): Promise<void> {
    const written = last.then(() => put(proposal));
    last = written.catch(() => {});
    return written;
  }

  async function put(proposal: Proposal): Promise<void> {
    const decision = decisionOf(proposal);
    if (decision === undefined) return;
    const path = join(directory, decisionName(decision.shown));
    const draft = `${path}.${randomBytes(6).toString('hex')}.draft`;
    try {
      const handle = await open(draft, 'wx', 0o644);
      try {
        await handle.writeFile(textOf(decision));
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
    // Of the same report that was made again, the last one holds: they come oldest first.
    const current = new Map<string, Proposal>();
    for (const { proposal } of entries.values()) {
      const decision = decisionOf(proposal);
      if (decision !== undefined) current.set(decisionName(decision.shown), proposal);
    }
    for (const name of readdirSync(directory)) {
      const proposal = current.get(name);
      const decision = proposal === undefined ? undefined : decisionOf(proposal);
      if (decision === undefined) rmSync(join(directory, name), { recursive: true, force: true });
      else if (readFileSync(join(directory, name), 'utf8') === textOf(decision)) current.delete(name);
    }
    for (const proposal of current.values()) await write(proposal);
  }

  return { write, bringUpToDate };
}

function textOf(decision: Decision): string {
  return `${JSON.stringify(decision)}\n`;
}

function decisionOf(proposal: Proposal): Decision | undefined {
  const { id, kind, source, status, decision, created, expires, facts } = proposal;
  if (kind !== 'gitleaks-allow' && kind !== 'egress-token-allow' && kind !== 'tool-ask') return undefined;
  const asked = { id, kind, source, shown: facts[REPORTED] ?? proposal.shown };
  if (!isAnswered(proposal)) return { ...asked, verdict: 'pending', by: '', reason: '', time: created };
  if (decision === null || status === 'expired') {
    return { ...asked, verdict: 'expired', by: '', reason: 'nobody decided in time', time: expires ?? created };
  }
  const verdict = decision.verdict === 'approved' ? 'approved' : 'rejected';
  return { ...asked, verdict, by: decision.by, reason: decision.reason, time: decision.time };
}
