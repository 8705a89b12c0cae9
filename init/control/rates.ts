/** How much of something there may be: at once, and then in the long run. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Bounds one kind of request, for each key on its own (token bucket). */
export interface RateLimit {
  /** Counts one; 0 where it may pass, else in how many whole seconds the next may. */
  take(key: string): number;
}

/** `now`: monotonic ms. Keys must come from a small set: each is remembered. */
export function createRateLimit({ burst, perSecond }: Rate, now: () => number): RateLimit {
  const left = new Map<string, { readonly tokens: number; readonly at: number }>();
  return {
    take(key) {
      const at = now();
      const before = left.get(key) ?? { tokens: burst, at };
      const tokens = Math.min(burst, before.tokens + ((at - before.at) / 1_000) * perSecond);
      if (tokens < 1) {
        left.set(key, { tokens, at });
        return Math.max(1, Math.ceil((1 - tokens) / perSecond));
      }
      left.set(key, { tokens: tokens - 1, at });
      return 0;
    },
  };
}
