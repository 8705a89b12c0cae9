import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

/** How long a file must stay as it is before a change counts: a write in place is several events. */
const QUIET_MS = 100;

/**
 * How often the file is looked at whether or not the kernel told of a change: a directory that was replaced, or one on a file system
 * that another machine writes (NFS, virtiofs), sends no events.
 */
const LOOK_EVERY_MS = 2000;

/** Stops watching. */
export type StopWatching = () => void;

/**
 * Calls `changed` when `file` may hold something else than before, once it stays as it is. It watches the directory and not the file, so
 * that it sees a file that is written in place, one that is renamed over the old one, and the swap of a symbolic link
 * such as Kubernetes' `..data`. A directory that vanishes and comes back is watched again.
 */
export function watchDirectoryOf(file: string, changed: () => void): StopWatching {
  const directory = dirname(file);
  let watcher: FSWatcher | undefined;
  let watched: string | undefined;
  let quiet: NodeJS.Timeout | undefined;
  let seen = identityOf(file);
  let latest = seen;

  /** Most events are about other files of the directory: those neither put the change off nor are one. */
  function noteEvent(): void {
    const now = identityOf(file);
    if (quiet !== undefined && now === latest) return;
    latest = now;
    clearTimeout(quiet);
    quiet = setTimeout(settle, QUIET_MS);
  }

  function settle(): void {
    quiet = undefined;
    disarm();
    arm();
    const now = identityOf(file);
    if (now === seen) return;
    seen = now;
    changed();
  }

  /** Watches the directory that is there now; one that is not there is looked for again at the next look. */
  function arm(): void {
    const present = identityOf(directory, 'place');
    if (present === watched && watcher !== undefined) return;
    disarm();
    if (present === undefined) return;
    try {
      watcher = watch(directory, { persistent: false }, noteEvent);
      watcher.on('error', disarm);
      watched = present;
    } catch {
      disarm();
    }
  }

  function disarm(): void {
    watcher?.close();
    watcher = undefined;
    watched = undefined;
  }

  arm();
  const look = setInterval(() => {
    arm();
    if (identityOf(file) !== seen && quiet === undefined) noteEvent();
  }, LOOK_EVERY_MS);
  look.unref();

  return () => {
    clearInterval(look);
    clearTimeout(quiet);
    disarm();
  };
}

/** Tells one state of a file from another (`content`), or one directory from another at the same path (`place`). */
function identityOf(path: string, what: 'content' | 'place' = 'content'): string | undefined {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return what === 'place' ? `${dev}:${ino}` : `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch {
    return undefined;
  }
}
