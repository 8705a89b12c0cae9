import { checked, lazily } from './libc.ts';

const PR_SET_CHILD_SUBREAPER = 36;

const prctl = lazily<(option: number, a: number, b: number, c: number, d: number) => number>('prctl', 'int', [
  'int',
  'unsigned long',
  'unsigned long',
  'unsigned long',
  'unsigned long',
]);
const getpgrp = lazily<() => number>('getpgrp', 'int', []);
const exitNow = lazily<(code: number) => void>('_exit', 'void', ['int']);
const getpagesize = lazily<() => number>('getpagesize', 'int', []);

/** From now on, orphans among the descendants of this process become its children (prctl(2)). Throws PosixError. */
export function becomeSubreaper(): void {
  checked('prctl(PR_SET_CHILD_SUBREAPER)', prctl()(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
}

/** The process group of this process. */
export function ownGroup(): number {
  return getpgrp()();
}

/** Ends this process at once: no exit handlers, no waiting for threads, nothing flushed. */
export function exitImmediately(code: number): void {
  exitNow()(code);
}

/** Bytes in a page of memory: 4096 on x64, up to 65,536 on arm64. */
export function pageSize(): number {
  return getpagesize()();
}
