import type { SignalName } from '../posix/signal-names.ts';
import { findMembers, type Incarnation } from './members.ts';

/**
 * Those of `incarnations` of which a process still lives, leader or not. One look at /proc answers for all of them, so
 * the shell asks once after each pass of the reaper.
 */
export function findSurvivors<Known extends Incarnation>(incarnations: readonly Known[]): ReadonlySet<Known> {
  const alive = new Set<Known>();
  for (const [incarnation, processes] of findMembers(incarnations)) if (processes.length > 0) alive.add(incarnation);
  return alive;
}

/**
 * Looks at SIGKILL again and again while it finds new processes, since one may fork between the look and the kill; and
 * gives up on a fork bomb after this many looks (the caller learns from {@link findSurvivors} that something is left).
 */
const KILL_ROUNDS = 10;

/** Sends a signal to the process group of an incarnation. A group that is gone meanwhile is no error. */
export function signalGroup(incarnation: Incarnation, signal: SignalName): void {
  send(-incarnation.leader, signal);
}

/**
 * Sends a signal to the processes that have left the group of their incarnation, one look at /proc for all incarnations.
 * SIGKILL goes to the groups again as well, as long as new processes turn up. Returns how many it found outside of a group.
 */
export function signalEscaped(incarnations: readonly Incarnation[], signal: SignalName): number {
  const signalled = new Set<number>();
  for (let round = 0; round < (signal === 'SIGKILL' ? KILL_ROUNDS : 1); round++) {
    const before = signalled.size;
    for (const [incarnation, processes] of findMembers(incarnations)) {
      for (const { pid, group } of processes) {
        if (group === incarnation.leader || signalled.has(pid)) continue;
        send(pid, signal);
        signalled.add(pid);
      }
    }
    if (signalled.size === before) break;
    if (signal === 'SIGKILL') for (const incarnation of incarnations) signalGroup(incarnation, signal);
  }
  return signalled.size;
}

/** To one process, or with a negative number to its group. False where there is none, or none that we may signal. */
export function send(pid: number, signal: SignalName): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
