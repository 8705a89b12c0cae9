import type { DaemonSpec } from '../bundle/schema.ts';
import type { Daemon } from './state.ts';

/** A daemon that has never been started. */
export function newDaemon(spec: DaemonSpec, at: number): Daemon {
  return {
    spec,
    state: { status: 'pending' },
    stateSince: at,
    goal: 'up',
    incarnation: 0,
    restarts: 0,
    attempts: 0,
    readySince: undefined,
    everReady: false,
    cause: undefined,
    lastExit: undefined,
    outcome: undefined,
    next: undefined,
  };
}
