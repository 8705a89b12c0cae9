import { constants } from 'node:fs';
import { checked, lastErrno, lazily, PosixError } from './libc.ts';

// <fcntl.h>, the same on x64 and arm64; Node does not name them.
const AT_FDCWD = -100;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
/** The longest path that the kernel takes (<limits.h>). */
const PATH_MAX = 4_096;

/** Variadic in C; without O_CREAT it reads no further argument. */
const openat = lazily<(directory: number, name: string, flags: number) => number>('openat', 'int', [
  'int',
  'const char *',
  'int',
]);
const mkdirat = lazily<(directory: number, name: string, mode: number) => number>('mkdirat', 'int', [
  'int',
  'const char *',
  'unsigned int',
]);
const readlinkat = lazily<(place: number, name: string, into: Buffer, size: number) => number>('readlinkat', 'long', [
  'int',
  'const char *',
  'void *',
  'size_t',
]);

/** A descriptor of `/` as a place (see {@link openPlace}). */
export function openRoot(): number {
  return checked('openat', openat()(AT_FDCWD, '/', O_PATH | O_CLOEXEC));
}

/**
 * A descriptor of what stands under `name` in the directory that `place` is: of a symbolic link itself, not of what it points to. It
 * needs no right to read, and is good for fstat(2), for names within, and for no more. Throws PosixError (ENOENT).
 */
export function openPlace(place: number, name: string): number {
  return checked('openat', openat()(place, name, O_PATH | constants.O_NOFOLLOW | O_CLOEXEC));
}

/** A descriptor by which the directory that `place` is can be read and changed. Throws PosixError (ENOTDIR, EACCES). */
export function openDirectory(place: number): number {
  return checked('openat', openat()(place, '.', constants.O_DIRECTORY | O_CLOEXEC));
}

/** Makes a directory, less the umask, in the one that `place` is. Something of that name may be there. Throws PosixError. */
export function makeDirectoryAt(place: number, name: string, mode: number): void {
  if (mkdirat()(place, name, mode) === 0) return;
  const code = lastErrno();
  if (code !== 'EEXIST') throw new PosixError('mkdirat', code);
}

/** Where the symbolic link that `place` is points. Throws PosixError. */
export function readLink(place: number): string {
  const target = Buffer.alloc(PATH_MAX);
  return target.toString('utf8', 0, checked('readlinkat', readlinkat()(place, '', target, target.length)));
}
