/** How a tool has done lately. Times are milliseconds since the epoch. */
export interface Backoff {
  /** Failures in a row: starts that failed and processes that ended by themselves. */
  readonly failures: number;
  /** No start before this. */
  readonly notBefore: number;
  /** Why the last one failed, and since when none has lived long; undefined where all is well. */
  readonly failing: { readonly reason: string; readonly since: number } | undefined;
}

/** A process that lived so long was not part of a crash loop. */
export const STEADY_MS = 10_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;

export const NO_FAILURE: Backoff = { failures: 0, notBefore: 0, failing: undefined };

/**
 * After a failure. The first is followed by another try at once; from then on each wait is twice the last, up to 30 s. Where another try cannot
 * help (`permanent`) the wait is the longest at once.
 */
export function afterFailure({ failures, failing }: Backoff, reason: string, now: number, permanent = false): Backoff {
  const wait = permanent ? LONGEST_WAIT_MS : failures === 0 ? 0 : FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10);
  return {
    failures: failures + 1,
    notBefore: now + Math.min(wait, LONGEST_WAIT_MS),
    failing: { reason, since: failing?.since ?? now },
  };
}

/** After a process that had lived for `lived` milliseconds ended by itself. */
export function afterCrash(backoff: Backoff, reason: string, lived: number, now: number): Backoff {
  return afterFailure(lived >= STEADY_MS ? NO_FAILURE : backoff, reason, now);
}

/** Milliseconds until a start is allowed. */
export function waitOf({ notBefore }: Backoff, now: number): number {
  return Math.max(0, notBefore - now);
}
