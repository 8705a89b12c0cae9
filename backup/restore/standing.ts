import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { lockDirectory } from '../../daemons/supervise/journal/lock.ts';
import type { Entry } from '../archive/contents.ts';
import { sha256Of } from '../checksum.ts';
import { isWithin } from '../places.ts';

/**
 * What stands where a place is to be restored to. `same`: just what the archive holds, so that there is nothing to do; a restore that was killed
 * has got so far. `alike`: the same, of another owner or mode; a restore by another user than root has left it so. `other`: something
 * that a restore would replace.
 */
export type Standing = 'free' | 'same' | 'alike' | 'other';

/**
 * Looks at `path`. `entries` are those of the place in the archive, which holds nothing of what is `apart` below it. Throws one line
 * where it cannot be read.
 */
export async function standingOf(
  path: string,
  entries: readonly Entry[],
  apart: ReadonlySet<string>,
): Promise<Standing> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 'free';
  if (found.isDirectory() && readdirSync(path).length === 0) return 'free';
  const inner = [...apart].filter((each) => each !== path && isWithin(each, path));
  const all = found.isDirectory() ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : [];
  const names = all.filter((name) => !inner.some((each) => isWithin(join(path, name), each)));
  if (names.length !== entries.length - 1) return 'other';
  for (const entry of entries) if (!(await isThere(join(path, entry.path), entry))) return 'other';
  return entries.every((entry) => isAsItWas(join(path, entry.path), entry)) ? 'same' : 'alike';
}

/** Only root can give a file to its owner, and no link has a mode. */
function isAsItWas(path: string, { type, uid, gid, mode }: Entry): boolean {
  const found = lstatSync(path);
  if (type !== 'symlink' && (found.mode & 0o7777) !== Number.parseInt(mode, 8)) return false;
  return process.geteuid?.() !== 0 || (found.uid === uid && found.gid === gid);
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
