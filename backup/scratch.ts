import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { lockDirectory } from '../daemons/supervise/journal/lock.ts';

/** A directory of this process alone (mode 0700), for what is not whole yet. */
export interface Scratch {
  readonly path: string;
  /** Removes it with all that is in it. */
  remove(): void;
}

/** How long a directory without a lock may be that of a process which is about to lock it, in ms. */
const YOUNG_MS = 60_000;

const open = new Set<Scratch>();

/**
 * Makes `parent/.NAME-XXXXXX`, and removes those that processes which were killed have left there. It goes when the process is told to
 * end as well. Throws one line where it cannot be made.
 */
export function openScratch(parent: string, name: string): Scratch {
  const prefix = `.${name}-`;
  removeLeftovers(parent, prefix);
  const path = make(parent, prefix);
  const unlock = lockDirectory(path);
  const scratch: Scratch = {
    path,
    remove() {
      open.delete(scratch);
      unlock?.();
      rmSync(path, { recursive: true, force: true });
    },
  };
  if (open.size === 0) listenOnce();
  open.add(scratch);
  return scratch;
}

function make(parent: string, prefix: string): string {
  try {
    return mkdtempSync(join(parent, prefix));
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split(',')[0] ?? error.message) : String(error);
    throw new Error(`cannot write in ${parent}: ${reason}; it has to be a directory in which this user may write`);
  }
}

function removeLeftovers(parent: string, prefix: string): void {
  for (const name of namesIn(parent)) {
    if (name.startsWith(prefix) && isLeftOver(join(parent, name))) {
      rmSync(join(parent, name), { recursive: true, force: true });
    }
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The kernel lets go of a lock when its process ends, however that ends. */
function isLeftOver(path: string): boolean {
  try {
    const found = lstatSync(path);
    if (!found.isDirectory() || found.uid !== process.geteuid?.()) return false;
    if (!readdirSync(path).includes('lock')) return Date.now() - found.mtimeMs > YOUNG_MS;
    const unlock = lockDirectory(path);
    unlock?.();
    return unlock !== undefined;
  } catch {
    return false;
  }
}

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

let isListening = false;

function listenOnce(): void {
  if (isListening) return;
  isListening = true;
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      for (const each of [...open]) each.remove();
      process.exit(128 + number);
    });
  }
}

/** An error of a full disk as one line with its place and what to do; any other as it is. */
export function explainFull(error: unknown, where: string, remedy: string): unknown {
  const isFull = error instanceof Error && /\b(ENOSPC|EDQUOT)\b/.test(error.message);
  return isFull ? new Error(`there is no room left in ${where}; ${remedy}`) : error;
}
