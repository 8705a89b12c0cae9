import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { lockDirectory } from '../../daemons/supervise/journal/lock.ts';
import type { Entry } from '../archive/contents.ts';
import { sha256Of } from '../checksum.ts';

/**
 * What stands where a place is to be restored to. `same`: just what the archive holds, so that there is nothing to do; a restore that was killed
 * has got so far. `other`: something that a restore would replace.
 */
export type Standing = 'free' | 'same' | 'other';

/** Looks at `path`. `entries` are those of the place in the archive. Throws one line where it cannot be read. */
export async function standingOf(path: string, entries: readonly Entry[]): Promise<Standing> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 'free';
  if (found.isDirectory() && readdirSync(path).length === 0) return 'free';
  const names = found.isDirectory() ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : [];
  if (names.length !== entries.length - 1) return 'other';
  for (const entry of entries) if (!(await isThere(join(path, entry.path), entry))) return 'other';
  return 'same';
}

async function isThere(path: string, entry: Entry): Promise<boolean> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return false;
  if (entry.type === 'directory') return found.isDirectory();
  if (entry.type === 'symlink') return found.isSymbolicLink() && readlinkSync(path) === entry.target;
  return found.isFile() && found.size === entry.size && (await sha256Of(path)) === entry.sha256;
}

/** True where a daemon has the data there locked. */
export function isInUse(path: string): boolean {
  const directory = statSync(path, { throwIfNoEntry: false });
  if (directory?.isDirectory() !== true) return false;
  const names = readdirSync(path);
  if (!names.includes('lock') || !names.some((name) => /^journal-\d{12}\.jsonl$/.test(name))) return false;
  const unlock = lockDirectory(path);
  unlock?.();
  return unlock === undefined;
}

/** True where something is mounted at `path` itself: it can have no other name (proc_pid_mountinfo(5)). */
export function isMountPoint(path: string): boolean {
  try {
    const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    return lines.some((line) => line.split(' ')[4] === path);
  } catch {
    return false;
  }
}
