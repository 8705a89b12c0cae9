import type { Backoff, DaemonSpec } from '../bundle/schema.ts';
import type { Daemon } from './state.ts';

/**
 * How long to wait before the next restart, in ms. `attempts`: restarts in a row so far. The first restart is at once,
 * then `initial × factor^n` with ±10 % jitter, never more than `max`. `random` is in [0, 1).
 */
export function restartDelay(backoff: Backoff, attempts: number, random: number): number {
  if (attempts === 0 || backoff.initial === 0) return 0;
  const base = backoff.initial * backoff.factor ** (attempts - 1);
  return Math.round(Math.min(backoff.max, base * (0.9 + 0.2 * random)));
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
