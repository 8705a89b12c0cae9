import type { Bundle } from '../bundle/schema.ts';
import type { SignalName } from '../posix/signal-names.ts';

/** How a process ended: by exit(2) or by a signal. */
export type Exit = { readonly code: number } | { readonly signal: SignalName };

/** Why a program could not be started; `errno` is the name that errno(3) gives it. */
export interface SpawnError {
  readonly errno: string;
  readonly message: string;
}

/** The command came by this way (recorded with it, counted by it). */
export const PLANES = ['cli', 'http', 'signal', 'mcp', 'web'] as const;
export type ControlPlane = (typeof PLANES)[number];

/** Whom a command came from. */
export interface Caller {
  readonly plane: ControlPlane;
  /** As its control plane knows it: "uid 1000", say. The policy only passes it on. */
  readonly who?: string;
}

/** What an operator may ask of one daemon. */
export type Command =
  | { readonly do: 'start' | 'stop' | 'restart' }
  | { readonly do: 'signal'; readonly signal: SignalName };

/**
 * Everything that can happen to the bundle. `at` is monotonic time in ms: it never goes back, and is the only clock that
 * the policy knows. `incarnation` numbers the starts of one daemon: an event about an earlier one is out of date.
 */
export type Event = { readonly at: number } & (
  | { readonly type: 'begin' }
  /** Time has passed: deadlines up to `at` are due. */
  | { readonly type: 'tick' }
  /** The program that `spawn` asked for runs. */
  | { readonly type: 'spawned'; readonly daemon: string; readonly incarnation: number }
  | { readonly type: 'spawn-failed'; readonly daemon: string; readonly incarnation: number; readonly error: SpawnError }
  /** The first process of the daemon has ended. `remains`: others of its group, or that left its group, still live. */
  | {
      readonly type: 'exited';
      readonly daemon: string;
      readonly incarnation: number;
      readonly exit: Exit;
      readonly remains: boolean;
      /** The kernel's memory limit killed it. */
      readonly outOfMemory: boolean;
      /** Its last lines on stderr, for the diagnosis. */
      readonly lastLines: readonly string[];
    }
  /** Nothing of this incarnation is alive any more (sent after an `exited` with `remains`). */
  | { readonly type: 'gone'; readonly daemon: string; readonly incarnation: number }
  /** It said by itself that it is ready: notification fd, sd_notify, or a log line. */
  | { readonly type: 'ready'; readonly daemon: string; readonly incarnation: number }
  /** The probe that `probe` asked for has answered. */
  | {
      readonly type: 'probed';
      readonly daemon: string;
      readonly incarnation: number;
      readonly passed: boolean;
      readonly detail: string;
    }
  /** The hooks that `run-hooks` asked for have ended. */
  | {
      readonly type: 'hooks-ended';
      readonly daemon: string;
      readonly incarnation: number;
      readonly stage: 'post_start' | 'pre_stop';
      readonly failure?: string;
    }
  | ({ readonly type: 'command'; readonly daemon: string; readonly command: Command } & Caller)
  | ({ readonly type: 'reload'; readonly bundle: Bundle } & Caller)
  /** PID 1 got a signal. */
  | { readonly type: 'signal'; readonly signal: SignalName }
  /** The init itself has a fault: the bundle ends in order, with code 70. */
  | { readonly type: 'fault'; readonly detail: string }
);

/** The event of one type. */
export type EventOf<T extends Event['type']> = Extract<Event, { readonly type: T }>;
