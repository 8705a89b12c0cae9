import type { JsonObject } from '../policy/json.ts';
import type { Connection } from './connection.ts';
import { nowhere } from './route.ts';

/** How a tool that hangs is found. Milliseconds. */
export interface PulseOptions {
  /** 0: never. */
  readonly interval: number;
  readonly timeout: number;
  /** So many failures in a row, and it hangs. */
  readonly retries: number;
  /** How long a tool may be silent while it works. */
  readonly callTimeout: number;
  /** The process that callers share; undefined where none runs. */
  readonly target: () => Promise<Connection | undefined>;
  /** What it is asked. */
  readonly question: { readonly method: string; readonly params: JsonObject };
  /** Called once for a process that hangs. */
  readonly onHung: (connection: Connection) => void;
  /** Called in each interval in which no process runs. */
  readonly onAbsent: () => void;
}

/**
 * Asks the process that callers share for a sign of life again and again; any answer will do, an error too. While it works on a call it is asked
 * only once it has been silent for longer than a call may be: a program with one thread cannot do both. Returns the end of it.
 */
export function createPulse(options: PulseOptions): () => void {
  const { interval, timeout, retries, callTimeout } = options;
  if (interval === 0) return nowhere;
  const stopped = new AbortController();
  let watched: Connection | undefined;
  let failures = 0;
  let silent = 0;
  let isAsking = false;

  async function beat(): Promise<void> {
    const connection = await options.target();
    if (stopped.signal.aborted) return;
    if (connection === undefined) {
      options.onAbsent();
      return;
    }
    if (connection !== watched) {
      watched = connection;
      failures = 0;
      silent = 0;
    }
    silent = connection.takeHeard() ? 0 : silent + interval;
    if (connection.working() > 0 && silent < callTimeout) return;
    failures = (await isAlive(connection)) ? 0 : failures + 1;
    if (failures < retries || stopped.signal.aborted) return;
    watched = undefined;
    options.onHung(connection);
  }

  async function isAlive(connection: Connection): Promise<boolean> {
    const limit = AbortSignal.timeout(timeout);
    const signal = AbortSignal.any([limit, stopped.signal]);
    await connection.request({ ...options.question, signal, onNotification: nowhere, timeout: undefined });
    // One that ended meanwhile has been noticed already.
    return !limit.aborted || connection.hasEnded() || connection.takeHeard();
  }

  const timer = setInterval(() => {
    if (isAsking) return;
    isAsking = true;
    void beat().finally(() => {
      isAsking = false;
    });
  }, interval);
  timer.unref();
  return () => {
    clearInterval(timer);
    stopped.abort();
  };
}
