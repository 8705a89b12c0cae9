import type { PipelockConfig } from './pipelock-config.ts';

/** What does pipelock's work: the real program, or the stand-in inside this process. */
export interface Engine {
  readonly kind: 'pipelock' | 'embedded';
  /** Whether it would accept this configuration file; otherwise why not, one line each. */
  check(file: string): Promise<readonly string[]>;
  /** Starts it with a configuration that was checked. Rejects where it cannot start. */
  start(file: string): Promise<Running>;
}

/** An engine at work. */
export interface Running {
  /** The exit code that the launcher ends with: that of the program, 128 + n where signal n killed it. Never rejects. */
  readonly ended: Promise<number>;
  /** Makes it use `next`, which now stands in the file, in place of `previous`. Says how, for the log. */
  reload(previous: PipelockConfig, next: PipelockConfig): Promise<'reloaded' | 'restarted'>;
  /** Asks it to end; `ended` tells when it has. */
  stop(): void;
}
