import type { JsonObject } from '../policy/json.ts';

/** What is remembered of a request from `before` to `after`. Times are milliseconds since the epoch. */
export interface Context {
  readonly tool: string;
  readonly agent: string;
  readonly session: string;
  readonly method: string;
  readonly params: JsonObject;
  readonly passed: boolean;
  readonly started: number;
}

/** Contexts by request id, each for a while. */
export interface Contexts {
  put(id: string, context: Context, now: number): void;
  /** Undefined where none was put, or where its time is over. */
  get(id: string, now: number): Context | undefined;
  size(): number;
}

/** Bounds in number and time: the oldest goes first. What has gone cannot be followed up, and who asks refuses. */
export function createContexts(ttl: number, most: number): Contexts {
  /** In the order in which they were put, so in that of their end. */
  const contexts = new Map<string, { readonly context: Context; readonly until: number }>();

  function forgetOld(now: number): void {
    for (const [id, { until }] of contexts) {
      if (until > now && contexts.size <= most) return;
      contexts.delete(id);
    }
  }

  return {
    put(id, context, now) {
      contexts.delete(id);
      contexts.set(id, { context, until: now + ttl });
      forgetOld(now);
    },
    get(id, now) {
      forgetOld(now);
      return contexts.get(id)?.context;
    },
    size: () => contexts.size,
  };
}
