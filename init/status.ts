import type { HealthStatus } from '../healthcheck/aggregate.ts';
import type { CauseKind } from './lifecycle/cause.ts';
import type { Status } from './lifecycle/state.ts';

/** One daemon as `bottled status --json` and `/v1/status` show it. */
export interface DaemonStatus {
  readonly name: string;
  readonly state: Status;
  readonly ready: boolean;
  readonly essential: boolean;
  /** Its first process, while there is one. */
  readonly pid: number | null;
  /** Restarts since the bundle started. */
  readonly restarts: number;
  /** The last failure, kept until the next one. */
  readonly cause: CauseKind | null;
  /** What was seen of that failure, and what to do about it. */
  readonly detail: string | null;
  readonly hint: string | null;
  /** Code of its last end, 128 + n after signal n; null before the first. */
  readonly exit_code: number | null;
  /** In words, what it waits for: a dependency, a retry, a probe. Null where it waits for nothing. */
  readonly waiting_for: string | null;
  /** What a ready daemon wants to be known, from the `warning` of its HTTP probe's JSON; null where there is nothing. */
  readonly remark: string | null;
  /** How long it has been in this state, in ms. */
  readonly state_for_ms: number;
  /** Processor time used per wall time since the last look, over all its processes; 1 is one core. Null where unknown. */
  readonly cpu: number | null;
  /** Resident memory over all its processes, in bytes. Null where unknown. */
  readonly memory_bytes: number | null;
}

/** The bundle as `bottled status --json` and `/v1/status` show it. */
export interface BundleStatus {
  readonly bundle: {
    readonly name: string;
    readonly health: HealthStatus;
    /** Version of bottled. */
    readonly version: string;
    /** Process id of the init. */
    readonly pid: number;
    readonly uptime_ms: number;
    /** Why the bundle is ending; null while it is not. */
    readonly ending: string | null;
  };
  readonly daemons: readonly DaemonStatus[];
}

/** One entry of the bounded history that `bottled events` prints: a change of state, an incident, a command. */
export interface HistoryEntry {
  /** Counts up from 1 without gaps. */
  readonly id: number;
  /** Wall time, RFC 3339. */
  readonly time: string;
  readonly type: 'changed' | 'incident' | 'answer' | 'ending' | 'fault';
  readonly daemon?: string;
  readonly incarnation?: number;
  readonly pid?: number;
  readonly from?: Status;
  readonly to?: Status;
  readonly ready?: boolean;
  readonly cause?: CauseKind;
  readonly plane?: string;
  readonly accepted?: boolean;
  /** In words: what happened and what comes next. */
  readonly text: string;
}
