import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

/** A process as /proc/PID/stat shows it (proc_pid_stat(5)). */
export interface ProcessStat {
  readonly pid: number;
  /** R, S, D, T, t, I, or Z and X for the dead. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Ticks of processor time: its own, and that of its children that it has waited for. */
  readonly ticks: number;
  /** Resident memory in pages. */
  readonly residentPages: number;
}

/**
 * Ticks in a second of what /proc tells (USER_HZ). Linux has fixed it at 100 for every processor that Node runs on,
 * whatever the kernel's own clock (asm-generic/param.h), so that nobody need ask sysconf(3).
 */
export const TICKS_PER_SECOND = 100;

/** The ids of all processes, in the order of /proc. Empty where there is no /proc. */
export function listProcesses(): readonly number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

const content = Buffer.alloc(1024);

/** What /proc says of one process; `undefined` where it is gone. */
export function readProcess(pid: number): ProcessStat | undefined {
  const length = readOnce(`/proc/${pid}/stat`, content);
  if (length === undefined) return undefined;
  const text = content.toString('latin1', 0, length);
  // The name of the program stands in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ', FIELDS_AFTER_NAME);
  return {
    pid,
    state: fields[0] ?? 'X',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    ticks: Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]),
    residentPages: Number(fields[21]),
  };
}

/** Up to and with rss, field 24 of proc_pid_stat(5); the first after the name is field 3. */
const FIELDS_AFTER_NAME = 22;

/**
 * The environment with which a process was started, as `NAME=value` with NULs between; `undefined` where it is hidden
 * or gone.
 */
export function readEnvironment(pid: number): string | undefined {
  for (let room = 16_384; ; room *= 4) {
    const buffer = Buffer.alloc(room);
    const length = readOnce(`/proc/${pid}/environ`, buffer);
    if (length === undefined) return undefined;
    if (length < room) return buffer.toString('latin1', 0, length);
  }
}

/**
 * One open, one read: a file of /proc that fits comes whole, in half the time of readFileSync, which asks for its size
 * first.
 */
function readOnce(path: string, buffer: Buffer): number | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    return readSync(fd, buffer, 0, buffer.length, null);
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
