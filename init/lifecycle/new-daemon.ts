import type { DaemonSpec } from '../bundle/schema.ts';
import type { Daemon } from './state.ts';

/** A daemon that has not been started yet. `incarnation`: the last one that it had in an earlier bundle file, else 0. */
export function newDaemon(spec: DaemonSpec, at: number, incarnation = 0): Daemon {
  return {
    spec,
    state: { status: 'pending' },
    stateSince: at,
    goal: 'up',
    incarnation,
    restarts: 0,
    attempts: 0,
    readySince: undefined,
    everReady: false,
    cause: undefined,
    lastExit: undefined,
    outcome: undefined,
    next: undefined,
    fallback: false,
  };
}
