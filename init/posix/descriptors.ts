import { constants, readdirSync } from 'node:fs';
import { checked, exists, lazily } from './libc.ts';

// <fcntl.h> and <linux/close_range.h>, the same on x64 and arm64; Node does not name them.
const O_CLOEXEC = 0o2000000;
const F_GETFD = 1;
const F_SETFD = 2;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const FD_CLOEXEC = 1;
const CLOSE_RANGE_CLOEXEC = 4;

const pipe2 = lazily<(ends: Int32Array, flags: number) => number>('pipe2', 'int', ['void *', 'int']);
/** Variadic in C; on Linux its one argument travels as that of a plain function does, on x64 and arm64 alike. */
const fcntl = lazily<(fd: number, command: number, value: number) => number>('fcntl', 'int', ['int', 'int', 'int']);
const closeRange = lazily<(first: number, last: number, flags: number) => number>('close_range', 'int', [
  'unsigned int',
  'unsigned int',
  'int',
]);

/** A pipe(7): what is written to one end is read from the other. No program started later inherits either end. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/** Makes a pipe. Throws PosixError (EMFILE: this process has too many files open). */
export function makePipe(): Pipe {
  const ends = new Int32Array(2);
  checked('pipe2', pipe2()(ends, O_CLOEXEC));
  return { read: ends[0] ?? -1, write: ends[1] ?? -1 };
}

/**
 * Asks for a pipe that holds `bytes` before its writer waits (65,536 where nothing is asked). False where the kernel
 * refuses: more than /proc/sys/fs/pipe-max-size, or than this user's share.
 */
export function resizePipe(fd: number, bytes: number): boolean {
  return fcntl()(fd, F_SETPIPE_SZ, bytes) !== -1;
}

/** From now on, a read or write of this end gives EAGAIN where it would wait. */
export function setNonBlocking(fd: number): void {
  checked('fcntl(F_SETFL)', fcntl()(fd, F_SETFL, constants.O_NONBLOCK));
}

/** Another descriptor of the same open file, numbered `minimum` or higher. No program started later inherits it. */
export function duplicate(fd: number, minimum: number): number {
  return checked('fcntl(F_DUPFD_CLOEXEC)', fcntl()(fd, F_DUPFD_CLOEXEC, minimum));
}

/**
 * Keeps whatever files this process was started with (beyond stdin, stdout, stderr) from the programs that it starts.
 * Node opens its own files so, but what a container's runtime left open would reach every daemon.
 */
export function keepDescriptorsFromChildren(): void {
  if (exists('close_range') && closeRange()(3, 0xffffffff, CLOSE_RANGE_CLOEXEC) === 0) return;
  for (const fd of openDescriptors()) {
    const flags = fcntl()(fd, F_GETFD, 0);
    if (flags !== -1) fcntl()(fd, F_SETFD, flags | FD_CLOEXEC);
  }
}

function openDescriptors(): readonly number[] {
  try {
    return readdirSync('/proc/self/fd')
      .map(Number)
      .filter((fd) => fd > 2);
  } catch {
    return [];
  }
}
