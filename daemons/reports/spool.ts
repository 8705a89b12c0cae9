import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownerOf } from './owned-file.ts';
import { type Report, reportHash } from './report.ts';

/** The directory in which a daemon leaves its reports. It is the daemon's own: who takes them in may only read. */
export interface Spool {
  /** Leaves a report, unless the same one lies there. */
  leave(report: Report): Left;
  /** Takes back every copy of a report that lies there. */
  withdraw(hash: string): void;
}

/** The reason ends a sentence. */
export type Left = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export interface SpoolOptions {
  readonly directory: string;
  /** Whether supervise has taken in a report with this hash, at some time. */
  readonly isTaken: (hash: string) => boolean;
  readonly clock: () => number;
}

/** Reports that lie there at once. supervise takes them in as they come, so that more are somebody's doing. */
const MOST_REPORTS = 100;
/** After so long a report that supervise knows of was taken in for certain. */
const TAKEN_MS = 30_000;
/** After so long nobody takes it in any more. */
const LEFT_BEHIND_MS = 3_600_000;

const NAME = /^[0-9a-z]{9}-[0-9a-f]{8}-([0-9a-f]{64})\.json(?:\.draft)?$/;

/** A spool that never holds more than {@link MOST_REPORTS}; it is made where it is missing. Throws nothing, now or later. */
export function openSpool({ directory, isTaken, clock }: SpoolOptions): Spool {
  function leave(report: Report): Left {
    try {
      const fault = prepare();
      if (fault !== undefined) return { ok: false, reason: fault };
      const hash = reportHash(report);
      const names = sweep();
      if (names.some((name) => hashOf(name) === hash)) return { ok: true };
      if (names.length >= MOST_REPORTS) return { ok: false, reason: 'too many reports wait for supervise already' };
      // They are taken in by the order of their names.
      const begin = Math.floor(clock()).toString(36).padStart(9, '0');
      const path = join(directory, `${begin}-${randomBytes(4).toString('hex')}-${hash}.json`);
      const draft = `${path}.draft`;
      writeFileSync(draft, JSON.stringify(report), { flag: 'wx', mode: 0o644 });
      chmodSync(draft, 0o644);
      renameSync(draft, path);
      return { ok: true };
    } catch (error) {
      return { ok: false, reason: `${directory} cannot be written (${codeOf(error)})` };
    }
  }

  /** Why nothing can be left; undefined where all is well. */
  function prepare(): string | undefined {
    if (mkdirSync(directory, { recursive: true, mode: 0o755 }) !== undefined) chmodSync(directory, 0o755);
    const owner = ownerOf(directory);
    if (!owner.ok) return `${directory} ${owner.reason}`;
    return owner.uid === process.geteuid?.() ? undefined : `${directory} belongs to another user`;
  }

  /** Removes what is over; gives the names of what still waits. What has another name is none of its business. */
  function sweep(): readonly string[] {
    return readdirSync(directory).filter((name) => {
      const hash = hashOf(name);
      if (hash === undefined) return false;
      const age = clock() - (statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0);
      const isOver = age > LEFT_BEHIND_MS || (age > TAKEN_MS && isTaken(hash));
      if (isOver) rmSync(join(directory, name), { force: true });
      return !isOver;
    });
  }

  function withdraw(hash: string): void {
    try {
      for (const name of readdirSync(directory))
        if (hashOf(name) === hash) rmSync(join(directory, name), { force: true });
    } catch {
      // What cannot be taken back has an end of its own, or lies there until it is old.
    }
  }

  return { leave, withdraw };
}

function hashOf(name: string): string | undefined {
  return NAME.exec(name)?.[1];
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
