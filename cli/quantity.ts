import { formatDuration } from '../config/duration.ts';

/** A time span for a human, with the two largest units that matter: `350ms`, `12s`, `3m12s`, `2h5m`. */
export function span(ms: number): string {
  const step = ms < 1_000 ? 1 : ms < 3_600_000 ? 1_000 : 60_000;
  return formatDuration(Math.floor(ms / step) * step);
}

/** A share of one core: `0.5%`, `180%`. */
export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(ratio < 0.1 ? 1 : 0)}%`;
}
