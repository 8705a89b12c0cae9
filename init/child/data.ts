import { closeSync, fchmodSync, fchownSync, fstatSync, lstatSync, opendirSync } from 'node:fs';
import type { DataDirectory } from '../bundle/schema.ts';
import type { SpawnError } from '../lifecycle/event.ts';
import { makeDirectoryAt, openDirectory, openPlace, openRoot, readLink } from '../posix/directories.ts';
import { errnoOf } from '../posix/errno.ts';
import { NativeCallsUnavailable } from '../posix/koffi.ts';

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Directories on the way to a daemon's own: everyone may pass through and look, only the init may change them. */
const PARENT_MODE = 0o755;
/** Symbolic links on one way; the kernel itself follows no more (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Makes a daemon's `data` directories where they are missing, and gives a new one to its user: one that is empty and belongs to
 * the init's own user, such as a fresh volume. Any other is left as it is, and nothing below it is touched. After the
 * first start each costs one lstat(2).
 *
 * A daemon that owns a part of the way must not lead the init elsewhere: it goes from descriptor to descriptor, follows no
 * symbolic link but those of root and of its own user, and none at the end.
 */
export function provideData(
  directories: readonly DataDirectory[],
  owner: Owner,
): { readonly error: SpawnError } | undefined {
  for (const { path, mode } of directories) {
    try {
      if (!isLeftAlone(path, mode, owner)) provide(path, mode, owner);
    } catch (error) {
      if (error instanceof NativeCallsUnavailable) throw error;
      return { error: explain(error, path, owner) };
    }
  }
  return undefined;
}

/** A link, a directory of somebody else, or one that is just as it should be. */
function isLeftAlone(path: string, mode: number, owner: Owner): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isSymbolicLink()) return found !== undefined;
  if (!found.isDirectory()) return false;
  return !isOwn(found.uid) || ((found.mode & 0o7777) === mode && found.uid === owner.uid && found.gid === owner.gid);
}

function provide(path: string, mode: number, owner: Owner): void {
  using opened = new DisposableStack();
  const place = reach(path, opened);
  const found = fstatSync(place);
  if (found.isSymbolicLink() || (found.isDirectory() && !isOwn(found.uid))) return;
  if (!found.isDirectory()) throw new Refusal('is there and is no directory: move it away, or name another path');
  const directory = opened.adopt(openDirectory(place), closeSync);
  if (!isEmpty(directory)) return;
  // In this order: who has given it away may not change its mode any more without the capability FOWNER.
  if ((found.mode & 0o7777) !== mode) fchmodSync(directory, mode);
  if (found.uid !== owner.uid || found.gid !== owner.gid) fchownSync(directory, owner.uid, owner.gid);
}

/** A descriptor of what stands at `path`, which is absolute; directories that are missing are made, the last one private. */
function reach(path: string, opened: DisposableStack): number {
  const names = namesOf(path);
  let here = opened.adopt(openRoot(), closeSync);
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const isLast = names.length === 0;
    const place = opened.adopt(openOrMake(here, name, isLast ? 0o700 : PARENT_MODE), closeSync);
    const found = fstatSync(place);
    if (isLast || !found.isSymbolicLink()) {
      here = place;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) throw new Refusal('cannot be reached: there are too many symbolic links on the way');
    if (found.uid !== 0 && !isOwn(found.uid)) {
      throw new Refusal(
        `is not gone to: "${name}" on the way is a symbolic link of uid ${found.uid}, who could lead it anywhere; write the path without it`,
      );
    }
    const target = readLink(place);
    if (target.startsWith('/')) here = opened.adopt(openRoot(), closeSync);
    names.unshift(...namesOf(target));
  }
  return here;
}

function openOrMake(directory: number, name: string, mode: number): number {
  try {
    return openPlace(directory, name);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  const mask = process.umask(0);
  try {
    makeDirectoryAt(directory, name, mode);
  } finally {
    process.umask(mask);
  }
  return openPlace(directory, name);
}

/** True where nothing is in it but what a new ext4 file system brings. */
function isEmpty(directory: number): boolean {
  const entries = opendirSync(`/proc/self/fd/${directory}`);
  try {
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
      if (entry.name !== 'lost+found') return false;
    }
    return true;
  } finally {
    entries.closeSync();
  }
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function isOwn(uid: number): boolean {
  return uid === process.geteuid?.();
}

/** What is in the way, as the end of a sentence with its remedy. */
class Refusal extends Error {}

const REMEDIES: Readonly<Record<string, string>> = {
  EROFS: 'the file system is read-only: mount a volume or a tmpfs there, or name another path',
  ENOSPC: 'the file system is full: make room',
  EDQUOT: 'the quota of its user is used up: make room',
  ENOTDIR: 'a part of its path is no directory: move that away, or name another path',
};

/** What the directory needs is refused for good or until somebody mends it; everything else may pass. */
const FORBIDDEN: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR']);

function explain(error: unknown, path: string, owner: Owner): SpawnError {
  if (error instanceof Refusal) return { errno: 'EPERM', message: `data: ${path} ${error.message}` };
  const code = errnoOf(error);
  const remedy = REMEDIES[code] ?? rightsRemedy(code, owner);
  return {
    errno: FORBIDDEN.has(code) ? 'EPERM' : code,
    message: `data: ${path} cannot be made for uid ${owner.uid} (${code})${remedy === undefined ? '' : `: ${remedy}`}`,
  };
}

function rightsRemedy(code: string, owner: Owner): string | undefined {
  if (code !== 'EACCES' && code !== 'EPERM') return undefined;
  const uid = process.geteuid?.() ?? 0;
  const before = `make it beforehand for uid ${owner.uid}`;
  if (uid !== 0) return `${before}, or let uid ${uid} write to the directory above it`;
  return `${before}, or give the container the capability ${code === 'EACCES' ? 'DAC_OVERRIDE' : 'CHOWN'}`;
}
