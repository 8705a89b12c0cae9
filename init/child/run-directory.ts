import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../posix/errno.ts';

/**
 * Why the run directory, which is there, is not the init's to trust; undefined where it is. Whoever owns it, or may write to it,
 * could forge the heartbeat and put other secrets in the place of a daemon's.
 */
export function runDirectoryFault(path: string): string | undefined {
  const found = lstatSync(path);
  if (!found.isDirectory()) return `${path} is no directory`;
  if (found.uid !== 0 && found.uid !== process.geteuid?.()) return `${path} belongs to uid ${found.uid}`;
  return (found.mode & 0o002) === 0 ? undefined : `everyone may write to ${path}`;
}

/**
 * A directory of the init's own in its run directory, which must be there. Other users may pass through it, to what is
 * theirs, but not list it (0711). Throws as mkdir(2) does; it makes no parents, since Node never returns from that
 * where the kernel refuses a new directory in a place that exists (/proc, say).
 */
export function makePassage(runDirectory: string, name: string): string {
  const directory = join(runDirectory, name);
  try {
    mkdirSync(directory);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  chmodSync(directory, 0o711);
  return directory;
}
