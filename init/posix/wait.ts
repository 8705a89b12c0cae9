import type { Exit } from '../lifecycle/event.ts';
import { lastErrno, lazily, PosixError } from './libc.ts';
import { signalName } from './signal-names.ts';

// Linux: <linux/wait.h>, the same on every processor.
const WNOHANG = 0x1;
const WSTOPPED = 0x2;
const WEXITED = 0x4;
const WNOWAIT = 0x1000000;
const P_ALL = 0;
const P_PID = 1;
/**
 * Where siginfo_t holds si_pid and si_status on 64-bit Linux, in int32 (si_signo, si_errno, si_code, padding, then
 * these).
 */
const SI_CODE = 2;
const SI_PID = 4;
const CLD_STOPPED = 5;

const waitid = lazily<(idType: number, id: number, info: Int32Array, options: number) => number>('waitid', 'int', [
  'int',
  'uint32_t',
  'void *',
  'int',
]);
const waitpid = lazily<(pid: number, status: Int32Array, options: number) => number>('waitpid', 'int', [
  'int',
  'void *',
  'int',
]);

const info = new Int32Array(32);
const status = new Int32Array(1);

/** A dead child that has not been collected, without collecting it: its pid; `undefined` where there is none. */
export function peekDeadChild(): number | undefined {
  info.fill(0);
  if (waitid()(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) === -1) return undefined;
  return info[SI_PID] || undefined;
}

/** True where this process has any child, alive or dead: without one it has no descendants either. */
export function hasChildren(): boolean {
  return waitid()(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) !== -1 || lastErrno() !== 'ECHILD';
}

/** Collects exactly this child; `undefined` where it still lives or is no child of this process. */
export function collect(pid: number): Exit | undefined {
  return waitpid()(pid, status, WNOHANG) === pid ? exitOf(status[0] ?? 0) : undefined;
}

/**
 * True once for each time that this child was stopped by a signal (SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU). Collects no
 * exit.
 */
export function takeStop(pid: number): boolean {
  info.fill(0);
  if (waitid()(P_PID, pid, info, WSTOPPED | WNOHANG) === -1) {
    const errno = lastErrno();
    if (errno === 'ECHILD') return false;
    throw new PosixError('waitid', errno);
  }
  return info[SI_CODE] === CLD_STOPPED;
}

/**
 * What a wait status says (waitpid(2)). Death by a signal that has no name here, a real-time one, is given as the exit
 * code 128 + n that a shell would show for it.
 */
export function exitOf(waitStatus: number): Exit {
  const number = waitStatus & 0x7f;
  if (number === 0) return { code: (waitStatus >> 8) & 0xff };
  const signal = signalName(number);
  return signal === undefined ? { code: 128 + number } : { signal };
}
