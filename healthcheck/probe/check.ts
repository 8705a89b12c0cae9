/**
 * What to probe: a `healthcheck` of bundle.yaml, decoded (durations in ms, defaults filled in). Exactly one of `test`,
 * `http`, `tcp` and `unix` is given, unless `disable` is true.
 */
export interface Check {
  readonly test?: readonly string[] | undefined;
  readonly http?: HttpTarget | undefined;
  readonly tcp?: TcpTarget | undefined;
  readonly unix?: UnixTarget | undefined;
  /** ms. 0 means 30 s, as in Docker. */
  readonly timeout: number;
  readonly disable?: boolean | undefined;
}

export interface HttpTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Codes that pass; without it 200 to 399. */
  readonly status?: readonly number[] | undefined;
}

export interface TcpTarget {
  readonly host: string;
  readonly port: number;
}

export interface UnixTarget {
  readonly path: string;
}

/** How one run of a `test` command ended. */
export interface Execution {
  /** null where a signal ended it, or where it never ran. */
  readonly code: number | null;
  /** Name of the signal that ended it. */
  readonly signal: string | null;
  /** What it wrote to stdout and stderr; the first line is shown. */
  readonly output: string;
  /** Why it could not be run. */
  readonly error?: string;
}

/**
 * Runs a program to its end. It must kill the program with all its children when `timeout_ms` is over or `signal` is
 * aborted, whichever comes first. Given from outside, because PID 1 spawns by its own means.
 */
export type Execute = (
  argv: readonly string[],
  options: { readonly timeout_ms: number; readonly signal?: AbortSignal },
) => Promise<Execution>;

/** What one probe of any kind has found; `said` follows the target's name in the result's detail. */
export interface Finding {
  readonly passed: boolean;
  readonly said: string;
  /** What an operator should know although it passed. */
  readonly remark?: string;
}

/** One probe under way, as its kind sees it. */
export interface Attempt {
  /** Aborted as soon as the result stands, whatever it is: everything that the probe has opened closes then. */
  readonly signal: AbortSignal;
  readonly timeout_ms: number;
  /** Says what to report if time runs out from here on, to be continued by "within 2000 ms". */
  pending(said: string): void;
}
