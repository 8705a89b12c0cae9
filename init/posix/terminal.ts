import { constants, openSync } from 'node:fs';
import { lazily } from './libc.ts';
import { signalNumber } from './signal-names.ts';

const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
/** Larger than sigset_t of glibc and of musl (128 bytes both). */
const SIGSET_BYTES = 256;

const tcgetpgrp = lazily<(fd: number) => number>('tcgetpgrp', 'int', ['int']);
const tcsetpgrp = lazily<(fd: number, group: number) => number>('tcsetpgrp', 'int', ['int', 'int']);
const sigemptyset = lazily<(set: Buffer) => number>('sigemptyset', 'int', ['void *']);
const sigaddset = lazily<(set: Buffer, signal: number) => number>('sigaddset', 'int', ['void *', 'int']);
const pthreadSigmask = lazily<(how: number, set: Buffer, old: Buffer | null) => number>('pthread_sigmask', 'int', [
  'int',
  'void *',
  'void *',
]);

/** Opens the controlling terminal of this process; `undefined` where it has none. */
export function openTerminal(): number | undefined {
  try {
    return openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}

/** The process group that reads the terminal; `undefined` where this is not (or no longer) our terminal. */
export function foregroundGroup(terminal: number): number | undefined {
  const group = tcgetpgrp()(terminal);
  return group === -1 ? undefined : group;
}

/**
 * Lets a process group read the terminal. False where that is not possible (no terminal of this session, no such
 * group).
 */
export function setForegroundGroup(terminal: number, group: number): boolean {
  return holdingBackTtou(() => tcsetpgrp()(terminal, group) === 0);
}

/**
 * Does something to the terminal that a background group may not do. The kernel would answer with SIGTTOU, and after a
 * listener for that signal it would try the same call again, for ever: so the signal is held back meanwhile.
 */
export function holdingBackTtou<Result>(use: () => Result): Result {
  const held = Buffer.alloc(SIGSET_BYTES);
  const before = Buffer.alloc(SIGSET_BYTES);
  sigemptyset()(held);
  sigaddset()(held, signalNumber('SIGTTOU'));
  pthreadSigmask()(SIG_BLOCK, held, before);
  try {
    return use();
  } finally {
    pthreadSigmask()(SIG_SETMASK, before, null);
  }
}
