import type { Logging } from '../bundle/schema.ts';
import type { OwnLog } from './own.ts';

export type Stream = 'stdout' | 'stderr';
export type LogFormat = 'text' | 'json' | 'raw';

/** One whole line of a daemon's output, masked, without its line ending. Bytes that are not UTF-8 show as U+FFFD. */
export interface LogRecord {
  /** Wall time at which it was read, ms since the epoch. */
  readonly time: number;
  readonly daemon: string;
  readonly stream: Stream;
  readonly line: string;
}

/** What one daemon has written so far, over all its incarnations. */
export interface LogCounters {
  /** Bytes read from its pipes. */
  readonly bytes: number;
  /** Whole lines read; a line split at `max_line` counts once per piece. */
  readonly lines: number;
  /** Lines that did not reach the init's stdout: it was slow and the daemon has `on_full: drop`, or it was closed. */
  readonly dropped: number;
}

/** The way out of the init. */
export interface OutputState {
  /** Bytes that wait for stdout. */
  readonly queued: number;
  /** The errno that closed stdout for good (EPIPE when its reader left), or undefined while it is open. */
  readonly closed: string | undefined;
}

/** One stream of one incarnation, from its pipe to the init's stdout. */
export interface Tap {
  /** Resolves when the pipe has ended and its last line is queued. Never rejects. */
  readonly ended: Promise<void>;
  /** Reads at once all that the pipe holds: on return, `lastLines` has every whole line written before the call. */
  drain(): void;
  /**
   * To be called when the daemon has exited. Drains; where a surviving process holds the pipe open, reads on for `ms` and
   * then closes it. A later call can only bring the deadline forward.
   */
  endWithin(ms: number): void;
}

/** All daemons' output on its way to the init's stdout. */
export interface Logs {
  /**
   * Reads `fd` (the read end of a pipe, owned from now on) until it ends.
   *
   * @throws where `fd` is not an open pipe
   */
  attach(daemon: string, stream: Stream, fd: number, options: Logging): Tap;
  /** Calls back once, at the first line of the daemon that matches; returns the way to stop it. */
  onMatch(daemon: string, pattern: RegExp, listener: () => void): () => void;
  /** The last lines of one stream since it was last attached, oldest first, at most `count`. For the diagnosis of a failure. */
  lastLines(daemon: string, stream: Stream, count: number): readonly string[];
  /** Queues lines of the init's own (each with its newline) between the daemons' lines. Never blocks, never throws. */
  write(lines: string): void;
  /** The init's own log, in the same format and on the same way out. */
  readonly own: OwnLog;
  /** The newest lines of these daemons together (of all of them where none is named), oldest first, at most `lines`. */
  read(daemons: readonly string[], lines: number): readonly LogRecord[];
  /** Every line of these daemons (of all of them where none is named) from now on; returns the way to stop it. */
  follow(daemons: readonly string[], listener: (record: LogRecord) => void): () => void;
  counters(daemon: string): LogCounters;
  output(): OutputState;
  /** Frees what is kept of a daemon that is no longer in the bundle. */
  forget(daemon: string): void;
  /** Values that must never appear in a line; `***` stands in their place. Replaces the earlier ones. */
  mask(secrets: readonly string[]): void;
  /** A text that goes elsewhere than to the log, with `***` in the place of each of these values. */
  masked(text: string): string;
  /**
   * Resolves to true when all that is queued is written or stdout is closed, to false after `ms`. Never rejects. After
   * false a thread may hang in write(2), and `process.exit` would wait for it: leave by _exit(2).
   */
  flush(ms: number): Promise<boolean>;
}
