import { lazily } from './libc.ts';
import { type SignalName, signalNumber } from './signal-names.ts';

const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
/** Larger than sigset_t of glibc and of musl (128 bytes both). All zeros is the empty set in both. */
const SIGSET_BYTES = 256;

const sigaddset = lazily<(set: Buffer, signal: number) => number>('sigaddset', 'int', ['void *', 'int']);
const pthreadSigmask = lazily<(how: number, set: Buffer, old: Buffer | null) => number>('pthread_sigmask', 'int', [
  'int',
  'void *',
  'void *',
]);

/**
 * Lets every signal through to this thread. Node begins with SIGUSR1 blocked, for its debugger, and under `--disable-sigusr1`
 * leaves it so; one that has come meanwhile is delivered now.
 */
export function unblockSignals(): void {
  pthreadSigmask()(SIG_SETMASK, Buffer.alloc(SIGSET_BYTES), null);
}

/** Does something with one signal held back, and restores the mask. */
export function holdingBack<Result>(signal: SignalName, use: () => Result): Result {
  const held = Buffer.alloc(SIGSET_BYTES);
  const before = Buffer.alloc(SIGSET_BYTES);
  sigaddset()(held, signalNumber(signal));
  pthreadSigmask()(SIG_BLOCK, held, before);
  try {
    return use();
  } finally {
    pthreadSigmask()(SIG_SETMASK, before, null);
  }
}
