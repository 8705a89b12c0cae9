import type { Backoff, DaemonSpec } from '../bundle/schema.ts';
import type { Daemon } from './state.ts';

/**
 * How long to wait before the next restart, in ms. `attempts`: restarts in a row so far. The first restart is at once unless
 * `at_once` is false, then `initial × factor^n` with its jitter, never more than `max`, in whole `unit`s. `random` is in [0, 1).
 */
export function restartDelay(backoff: Backoff, attempts: number, random: number): number {
  const { at_once, initial, factor, max, jitter, unit } = backoff;
  const waited = at_once ? attempts - 1 : attempts;
  if (waited < 0 || initial === 0) return 0;
  const base = initial * factor ** waited;
  const delay = Math.round(Math.min(max, base * (1 - jitter + 2 * jitter * random)));
  return unit === 0 ? delay : delay - (delay % unit);
}

/** Restarts in a row before the daemon is failed: `on-failure:<n>` says it itself, else `backoff.max_attempts`. */
export function maxAttempts({ restart, backoff }: DaemonSpec): number {
  const own = restart.split(':')[1];
  if (own !== undefined) return Number(own);
  return backoff.max_attempts === 'unlimited' ? Number.POSITIVE_INFINITY : backoff.max_attempts;
}

/** Restarts in a row so far: none any more once the daemon has been ready for `reset_after`. */
export function attemptsInARow({ attempts, readySince, spec }: Daemon, at: number): number {
  return readySince !== undefined && at - readySince >= spec.backoff.reset_after ? 0 : attempts;
}
