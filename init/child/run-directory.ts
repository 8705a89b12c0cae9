import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../posix/errno.ts';

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
