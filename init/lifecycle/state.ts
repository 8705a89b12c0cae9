import type { Bundle, DaemonSpec } from '../bundle/schema.ts';
import type { Cause } from './cause.ts';
import type { Exit } from './event.ts';

/** The states of a daemon, as `status` prints them. */
export const STATUSES = [
  'pending',
  'starting',
  'running',
  'stopping',
  'stopped',
  'backoff',
  'completed',
  'failed',
] as const;
export type Status = (typeof STATUSES)[number];

/** When the next probe is due, and how the last ones went. */
export interface Watch {
  /** ms; Infinity while a probe is under way. */
  readonly probeAt: number;
  readonly failuresInARow: number;
}

/** How an incarnation ended, once its first process is gone. */
export interface Ending {
  readonly at: number;
  /** undefined: it was never spawned. */
  readonly exit: Exit | undefined;
  /** undefined: it ended well. */
  readonly cause: Cause | undefined;
}

/** The state of one daemon. All times are monotonic ms. A state holds what is true in it and nothing else. */
export type DaemonState =
  /** Waits until its dependencies hold. */
  | { readonly status: 'pending' }
  | {
      readonly status: 'starting';
      readonly since: number;
      /** Its program runs (`service_started` holds). */
      readonly spawned: boolean;
      /** Infinity: no limit. */
      readonly timeoutAt: number;
      /** Ready by mere running; Infinity where something else tells. */
      readonly readyAt: number;
      readonly watch: Watch | undefined;
    }
  | { readonly status: 'running'; readonly since: number; readonly ready: boolean; readonly watch: Watch | undefined }
  | {
      readonly status: 'stopping';
      readonly phase: 'pre_stop' | 'signalled' | 'killed';
      /** SIGKILL is due. */
      readonly killAt: number;
      /** The end of the first process, once it is known. */
      readonly ending: Ending | undefined;
      /** Why it is stopped where that is a failure (unhealthy, start timeout); it then counts as one. */
      readonly cause: Cause | undefined;
    }
  | { readonly status: 'stopped' }
  | { readonly status: 'backoff'; readonly retryAt: number; readonly cause: Cause | undefined }
  | { readonly status: 'completed' }
  | { readonly status: 'failed'; readonly cause: Cause };

/** What is wanted of a daemon. Who wants less wins: a shutdown over a restart. */
export type Goal = 'up' | 'restart' | 'down' | 'remove';

/** What counts for the bundle's exit code: how the daemon's last life ended (DESIGN 6). */
export interface Outcome {
  readonly code: number;
  readonly at: number;
  readonly why: string;
}

export interface Daemon {
  readonly spec: DaemonSpec;
  readonly state: DaemonState;
  readonly goal: Goal;
  /** Number of its latest start; 0 before the first. */
  readonly incarnation: number;
  /** Restarts since the bundle started. */
  readonly restarts: number;
  /** Restarts in a row, the count that `backoff.max_attempts` bounds. */
  readonly attempts: number;
  /** Since when it has been ready without a break. */
  readonly readySince: number | undefined;
  /** It has been ready once since the bundle started. */
  readonly everReady: boolean;
  /** When it entered its state. */
  readonly stateSince: number;
  /** The last unexpected end or failure; kept until the next one. */
  readonly cause: Cause | undefined;
  readonly lastExit: Exit | undefined;
  readonly outcome: Outcome | undefined;
  /** It took the new specification from a reload, in force at its next start. */
  readonly next: DaemonSpec | undefined;
  /** Its command cannot run here: `fallback_command` is started in its place. */
  readonly fallback: boolean;
}

export interface Shutdown {
  readonly why: string;
  readonly since: number;
  /** SIGKILL for all that is left. */
  readonly killAt: number;
  /** The init leaves, whatever is left. */
  readonly leaveAt: number;
  readonly killed: boolean;
  /** SIGTERM, SIGINT and SIGQUIT so far: the second SIGTERM or SIGINT kills at once. */
  readonly signals: number;
  /** 70 after an internal fault. */
  readonly fault: boolean;
}

/** The whole state of the policy. */
export interface State {
  readonly bundle: Bundle;
  readonly daemons: ReadonlyMap<string, Daemon>;
  /** The last incarnation of each daemon that a reload removed: should it come back, its numbers go on. */
  readonly removed: ReadonlyMap<string, number>;
  readonly shutdown: Shutdown | undefined;
  /** `begin` has come. */
  readonly begun: boolean;
  readonly exited: boolean;
  /** Seed of the next random number (for jitter), so that the same events give the same run. */
  readonly random: number;
}
