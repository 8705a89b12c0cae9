import type { Logging } from '../bundle/schema.ts';

export type Stream = 'stdout' | 'stderr';
export type LogFormat = 'text' | 'json' | 'raw';

/** One whole line of a daemon's output, masked, without its newline. */
export interface LogRecord {
  /** Wall time at which it was read, ms since the epoch. */
  readonly time: number;
  readonly daemon: string;
  readonly stream: Stream;
  readonly line: string;
}

/** What one daemon has written so far. */
export interface LogCounters {
  readonly bytes: number;
  readonly lines: number;
  /** Lines lost to a slow reader under `on_full: drop`. */
  readonly dropped: number;
}

/** One stream of one incarnation, from its pipe to the init's stdout. */
export interface Tap {
  /** Resolves when the pipe has ended and its last line is queued. Never rejects. */
  readonly ended: Promise<void>;
  /** Ends by itself `ms` from now, even where a surviving process holds the pipe open: reads what is there, then closes. */
  endWithin(ms: number): void;
}

/** All daemons' output on its way to the init's stdout. */
export interface Logs {
  /** Reads `fd` (the read end of a pipe, owned from now on) until it ends. */
  attach(daemon: string, stream: Stream, fd: number, options: Logging): Tap;
  /** Calls back once, at the first line of the daemon that matches; returns the way to stop it. */
  onMatch(daemon: string, pattern: RegExp, listener: () => void): () => void;
  /** The last lines of one stream, oldest first, at most `count`. For the diagnosis of a failure. */
  lastLines(daemon: string, stream: Stream, count: number): readonly string[];
  /** Queues lines of the init's own (each with its newline) between the daemons' lines. Never blocks, never throws. */
  write(lines: string): void;
  read(daemons: readonly string[], lines: number): readonly LogRecord[];
  follow(daemons: readonly string[], listener: (record: LogRecord) => void): () => void;
  counters(daemon: string): LogCounters;
  /** Values that must never appear in a line; `***` stands in their place. Replaces the earlier ones. */
  mask(secrets: readonly string[]): void;
  /** Resolves when all that is queued is written, or after `ms`, or when stdout is closed. Never rejects. */
  flush(ms: number): Promise<void>;
}
