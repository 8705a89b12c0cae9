import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Others may pass through to what is theirs (secrets, the heartbeat), but not list it. */
const MODE = 0o711;

/**
 * Makes a directory (mode 0711, whatever the umask) and the parents that it lacks. Throws as mkdir(2) does. Not by Node's `recursive`, which never
 * returns where the kernel refuses a new directory in a place that exists (/proc, say).
 */
export function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  const mask = process.umask(0);
  try {
    mkdirSync(path, { mode: MODE });
  } finally {
    process.umask(mask);
  }
}
