import { constants, openSync } from 'node:fs';
import { lazily } from './libc.ts';
import { holdingBack } from './signal-mask.ts';

const tcgetpgrp = lazily<(fd: number) => number>('tcgetpgrp', 'int', ['int']);
const tcsetpgrp = lazily<(fd: number, group: number) => number>('tcsetpgrp', 'int', ['int', 'int']);

const isatty = lazily<(fd: number) => number>('isatty', 'int', ['int']);

/** True where this descriptor is a terminal. Without node:tty, which nothing else needs on the start path. */
export function isTerminal(fd: number): boolean {
  return isatty()(fd) === 1;
}

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
 * Lets a process group read the terminal. False where that is not possible (no terminal of this session, no such group).
 * A background group may not do that: the kernel would answer with SIGTTOU, and after a listener for it try the same
 * call again, for ever. So that signal is held back meanwhile.
 */
export function setForegroundGroup(terminal: number, group: number): boolean {
  return holdingBack('SIGTTOU', () => tcsetpgrp()(terminal, group) === 0);
}
