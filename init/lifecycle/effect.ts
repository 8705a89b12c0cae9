import type { DaemonSpec } from '../bundle/schema.ts';
import type { SignalName } from '../posix/signal-names.ts';
import type { Cause } from './cause.ts';
import type { Caller } from './event.ts';
import type { Status } from './state.ts';

/** Everything that the policy asks the shell to do. The shell does it in this order and decides nothing. */
export type Effect =
  /** Start the daemon's program; answered by `spawn-failed`, or by `spawned` and later `exited`. */
  | {
      readonly type: 'spawn';
      readonly daemon: string;
      readonly incarnation: number;
      readonly spec: DaemonSpec;
      /** Its `fallback_command` in place of its command. */
      readonly fallback: boolean;
    }
  /** Send a signal: to the daemon's first process only, or to everything that this incarnation started. */
  | {
      readonly type: 'kill';
      readonly daemon: string;
      readonly incarnation: number;
      readonly signal: SignalName;
      readonly to: 'leader' | 'all';
    }
  /** Probe once; answered by `probed`, within the check's timeout. */
  | { readonly type: 'probe'; readonly daemon: string; readonly incarnation: number; readonly spec: DaemonSpec }
  /** Run the hooks one after another; answered by `hooks-ended`. */
  | {
      readonly type: 'run-hooks';
      readonly daemon: string;
      readonly incarnation: number;
      readonly stage: 'post_start' | 'pre_stop';
      readonly spec: DaemonSpec;
    }
  /** Tell the world: a daemon has changed its state. */
  | {
      readonly type: 'changed';
      readonly daemon: string;
      readonly incarnation: number;
      readonly from: Status;
      readonly to: Status;
      readonly ready: boolean;
      readonly cause?: Cause;
      /** In words: what happened and what comes next. */
      readonly why: string;
    }
  /** Tell the world: something unexpected, worth a human's look. */
  | { readonly type: 'incident'; readonly daemon: string; readonly incarnation: number; readonly cause: Cause }
  /** Tell the world what became of a command, a reload or a signal. */
  | ({
      readonly type: 'answer';
      readonly daemon?: string;
      /** What was asked, in a word or two: "restart", "signal SIGHUP", "reload". */
      readonly command: string;
      readonly accepted: boolean;
      readonly text: string;
    } & Caller)
  /** Read the bundle file anew and send `reload` where it is valid. */
  | { readonly type: 'read-bundle' }
  /** The end of the bundle has begun. `signal`: the one that asked for it. */
  | { readonly type: 'ending'; readonly why: string; readonly signal?: SignalName }
  /** SIGKILL to everything that is left; as PID 1 of an own namespace, to every process in it. */
  | { readonly type: 'kill-everything' }
  /** All is over: leave with this code. */
  | { readonly type: 'exit'; readonly code: number; readonly decidedBy?: string; readonly why: string };

/** The effect of one type. */
export type EffectOf<T extends Effect['type']> = Extract<Effect, { readonly type: T }>;
