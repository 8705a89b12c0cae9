import type { CallLimits } from '../config/policy.ts';

/** Counts the calls of one tool against its limits. */
export interface CallBudget {
  /** Undefined: the call may be made, and {@link leave} is due after it. Otherwise why not. */
  enter(agent: string): string | undefined;
  leave(): void;
}

/** Agents whose rate is remembered; beyond that the one that called longest ago is forgotten. */
const MOST_AGENTS = 10_000;

/** So many calls at once, and for each agent a bucket that holds `rate.calls` and fills up within `rate.per`. */
export function createCallBudget(tool: string, limits: CallLimits, clock: () => number = Date.now): CallBudget {
  const { rate } = limits;
  const buckets = new Map<string, { tokens: number; at: number }>();
  let running = 0;

  function take(agent: string): number | undefined {
    if (rate === undefined) return undefined;
    const now = clock();
    const bucket = buckets.get(agent) ?? { tokens: rate.calls, at: now };
    const tokens = Math.min(rate.calls, bucket.tokens + ((now - bucket.at) * rate.calls) / rate.per);
    buckets.delete(agent);
    buckets.set(agent, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    for (const oldest of buckets.keys()) {
      if (buckets.size <= MOST_AGENTS) break;
      buckets.delete(oldest);
    }
    return tokens >= 1 ? undefined : ((1 - tokens) * rate.per) / rate.calls;
  }

  return {
    enter(agent) {
      if (running >= limits.concurrent)
        return `The tool "${tool}" works on ${limits.concurrent} calls already, as many as it may; try again later`;
      const wait = take(agent);
      if (wait !== undefined)
        return `More than ${rate?.text} calls of the tool "${tool}"; try again in ${Math.ceil(wait / 1000)} s`;
      running += 1;
      return undefined;
    },
    leave() {
      running -= 1;
    },
  };
}
