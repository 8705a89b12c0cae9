import { readFileSync } from 'node:fs';
import { SIGNAL_NAMES, type SignalName, signalNumber } from './posix/signal-names.ts';

/**
 * Signals for which there can be no listener: the kernel lets nobody catch SIGKILL and SIGSTOP, and the four faults
 * mean that the program itself is broken (a listener for them would run into the same fault for ever;
 * nodejs.org/api/process.html).
 */
const UNCATCHABLE: readonly SignalName[] = ['SIGKILL', 'SIGSTOP', 'SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL'];

/** Every signal that this process can listen for, each number once: 1 to 31 without the uncatchable six. */
export const CATCHABLE_SIGNALS: readonly SignalName[] = SIGNAL_NAMES.filter(
  (name, index) =>
    !UNCATCHABLE.includes(name) &&
    SIGNAL_NAMES.findIndex((other) => signalNumber(other) === signalNumber(name)) === index,
);

/**
 * What a bundle's init gets to hear: not the end of children (the reaper's), a new window size, a reader gone, or that
 * it goes on. All these do nothing to a process that does not listen; any other would end an init that is not process 1.
 */
const NOT_FOR_A_BUNDLE: readonly SignalName[] = ['SIGCHLD', 'SIGWINCH', 'SIGPIPE', 'SIGCONT'];
export const BUNDLE_SIGNALS: readonly SignalName[] = CATCHABLE_SIGNALS.filter(
  (name) => !NOT_FOR_A_BUNDLE.includes(name),
);

/**
 * SIGTERM and SIGINT that came to process 1 while Node itself was starting. Node catches each once, restores the default and
 * raises it again, which the kernel does not let reach process 1: so it would be lost. What is left of it is that Node's own
 * handler is gone (proc_pid_status(5), SigCgt).
 */
function earlySignals(): SignalName[] {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(ownStatus())?.[1];
  if (caught === undefined) return [];
  const mask = BigInt(`0x${caught}`);
  return (['SIGTERM', 'SIGINT'] as const).filter((name) => ((mask >> BigInt(signalNumber(name) - 1)) & 1n) === 0n);
}

/** Empty where there is no /proc: then a signal so early is lost, and no more than that. */
function ownStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'latin1');
  } catch {
    return '';
  }
}

/** Signals from their arrival to the one who acts on them. */
export interface SignalInbox {
  /** From now on, signals go to `listener`, in the order of their arrival; those that came before, at once. */
  setListener(listener: (signal: SignalName) => void): void;
}

/**
 * Catches signals from this moment on, and keeps them until somebody listens: to be called before anything slow, so
 * that a SIGTERM in the first milliseconds is not lost. A caught signal kills nobody by itself any more. SIGPIPE is
 * ignored (Node does so).
 */
export function installHandlers(signals: readonly SignalName[] = BUNDLE_SIGNALS): SignalInbox {
  const waiting: SignalName[] = process.pid === 1 ? earlySignals() : [];
  let deliver = (signal: SignalName): void => {
    waiting.push(signal);
  };
  for (const signal of signals) process.on(signal, () => deliver(signal));
  return {
    setListener(listener) {
      deliver = listener;
      for (const signal of waiting.splice(0)) listener(signal);
    },
  };
}
