import { readdirSync, readFileSync } from 'node:fs';

/** The variable by which all descendants of a tool are known, even those that left its process group and session. */
export const MARK = 'BOTTLED_TOOL_PROCESS';

/**
 * Kills every process of this machine whose mark is `wanted`, until none is left. Where there is no /proc, or a process hides its
 * environment, it is not found.
 */
export function killMarked(wanted: (mark: string) => boolean): void {
  // A process that forks while it is looked for is found in the next round.
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const found = markedProcesses(wanted);
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
  }
}

const MOST_ROUNDS = 5;

/** Their process ids, without those that have ended and wait to be reaped: these have no environment any more. */
export function markedProcesses(wanted: (mark: string) => boolean): readonly number[] {
  return numbersIn('/proc').filter((pid) => {
    const mark = pid === process.pid ? undefined : markOf(pid);
    return mark !== undefined && wanted(mark);
  });
}

function numbersIn(folder: string): readonly number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** proc(5), /proc/pid/environ: variables with a NUL behind each. */
function markOf(pid: number): string | undefined {
  try {
    const environ = readFileSync(`/proc/${pid}/environ`, 'latin1');
    const at = environ.startsWith(`${MARK}=`) ? 0 : environ.indexOf(`\0${MARK}=`) + 1;
    if (at === 0 && !environ.startsWith(`${MARK}=`)) return undefined;
    const from = at + MARK.length + 1;
    const end = environ.indexOf('\0', from);
    return environ.slice(from, end === -1 ? undefined : end);
  } catch {
    return undefined;
  }
}
