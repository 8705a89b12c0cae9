import { closeSync, fchownSync } from 'node:fs';
import { makePipe, resizePipe } from '../posix/descriptors.ts';

/** What a daemon writes to and what the init reads from. */
export interface OutputPipes {
  readonly stdout: { readonly read: number; readonly write: number };
  readonly stderr: { readonly read: number; readonly write: number };
}

export interface OutputPipesOptions {
  /** The daemon's user, which may then open /dev/stdout anew; without it, the init's own. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Bytes that each pipe should hold before the daemon waits, as far as the kernel allows; without it 65,536. */
  readonly capacity?: number | undefined;
}

/**
 * Real pipes, where Node would give a daemon sockets: a program that opens /dev/stdout (nginx, php-fpm, many scripts)
 * gets ENXIO from a socket. The caller closes the write ends once the daemon is started, and owns the read ends. Throws
 * PosixError (EMFILE: too many files open), and leaves nothing open then.
 */
export function makeOutputPipes({ owner, capacity }: OutputPipesOptions = {}): OutputPipes {
  const stdout = makePipe();
  try {
    const stderr = makePipe();
    for (const { write } of [stdout, stderr]) {
      if (owner !== undefined) giveTo(write, owner);
      if (capacity !== undefined) resizePipe(write, capacity);
    }
    return { stdout, stderr };
  } catch (error) {
    closePipe(stdout);
    throw error;
  }
}

/** Closes the ends that only the daemon needs. */
export function closeWriteEnds(pipes: OutputPipes): void {
  closeSync(pipes.stdout.write);
  closeSync(pipes.stderr.write);
}

/** Closes the ends that the init would have read, had the daemon started. */
export function closeReadEnds(pipes: OutputPipes): void {
  closeSync(pipes.stdout.read);
  closeSync(pipes.stderr.read);
}

function giveTo(fd: number, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  try {
    fchownSync(fd, uid, gid);
  } catch {
    // Without CAP_CHOWN the daemon can still write to the descriptor that it has; only opening /dev/stdout anew fails.
  }
}

function closePipe({ read, write }: { readonly read: number; readonly write: number }): void {
  closeSync(read);
  closeSync(write);
}
