import type { HealthStatus } from '../healthcheck/aggregate.ts';
import type { Denial } from './control/admission.ts';
import type { CauseKind } from './lifecycle/cause.ts';
import type { ControlPlane } from './lifecycle/event.ts';
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
  /** It runs its `fallback_command`, since its command cannot run here. */
  readonly fallback: boolean;
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
    /** The bundle file, by its absolute path. */
    readonly file: string;
    /** SHA-256 of the bundle file that is in force, in hex. That on disk may be another by now. */
    readonly sha256: string;
    /** Why the bundle is ending; null while it is not. */
    readonly ending: string | null;
  };
  readonly daemons: readonly DaemonStatus[];
  readonly control: ControlStatus;
}

/** How the bundle is operated. */
export interface ControlStatus {
  readonly commands: CommandStatus;
  /** The bearer tokens that the bundle names. */
  readonly tokens: readonly TokenStatus[];
  /** Requests that were not let in, by reason. */
  readonly denied: Readonly<Record<Denial, number>>;
}

/** The commands since the init started, refused ones too. */
export interface CommandStatus {
  readonly total: number;
  readonly by_plane: Readonly<Record<ControlPlane, number>>;
  /** When the last one came by each, RFC 3339. */
  readonly last_by_plane: Readonly<Record<ControlPlane, string | null>>;
  /** By which the last one came, and when. */
  readonly last_plane: ControlPlane | null;
  readonly last_time: string | null;
}

/** What a bearer token of the TCP listener is good for. */
export type TokenName = 'read' | 'operate';

/** One bearer token of the TCP listener; never the token itself. */
export interface TokenStatus {
  readonly name: TokenName;
  readonly source: 'file' | 'environment' | 'vault';
  /** Its source has answered: there is one that is in force. */
  readonly known: boolean;
  /** Null before the first answer. */
  readonly last_refresh_ok: boolean | null;
  /** Since its source last said what it is, in ms. */
  readonly age_ms: number | null;
  readonly refresh_failures: number;
}

/** How the daemons of a bottle are spread: all in one container, or one in each (legacy). */
export const LAYOUTS = ['bundle', 'split'] as const;
export type Layout = (typeof LAYOUTS)[number];

/** One entry of the bounded history that `bottled events` prints: a change of state, an incident, a command. */
export interface HistoryEntry {
  /** Counts up from 1 without gaps. */
  readonly id: number;
  /** Wall time, RFC 3339. */
  readonly time: string;
  readonly type: 'changed' | 'incident' | 'answer' | 'ending';
  readonly daemon?: string;
  readonly incarnation?: number;
  readonly pid?: number;
  readonly from?: Status;
  readonly to?: Status;
  readonly ready?: boolean;
  readonly cause?: CauseKind;
  /** The control plane that a command came by, and who gave it as far as that knows. */
  readonly plane?: ControlPlane;
  readonly who?: string;
  /** What was asked, in a word or two: "restart", "signal SIGHUP", "reload". */
  readonly command?: string;
  readonly accepted?: boolean;
  /** In words: what happened and what comes next. */
  readonly text: string;
}
