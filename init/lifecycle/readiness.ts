import type { DaemonSpec, Healthcheck } from '../bundle/schema.ts';

/** What makes a starting daemon ready. */
export type Readiness = 'probe' | 'notification' | 'log' | { readonly after: number };

const DEFAULT_AFTER_MS = 1_000;
const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_START_INTERVAL_MS = 5_000;
const DEFAULT_START_TIMEOUT_MS = 90_000;

/** The one thing that makes this daemon ready (DESIGN 5): its own word, else its probe, else having run for a second. */
export function readinessOf(spec: DaemonSpec): Readiness {
  if (spec.ready?.after !== undefined) return { after: spec.ready.after };
  if (spec.ready?.log !== undefined) return 'log';
  if (spec.ready !== undefined) return 'notification';
  return activeHealthcheck(spec) === undefined ? { after: DEFAULT_AFTER_MS } : 'probe';
}

/** The daemon's health check, unless it is switched off as Compose does it (`disable`, or `test: ["NONE"]`). */
export function activeHealthcheck(spec: DaemonSpec): Healthcheck | undefined {
  const check = spec.healthcheck;
  return check === undefined || check.disable || check.test?.[0] === 'NONE' ? undefined : check;
}

/**
 * How long a start may take, in ms. A probe ends an endless start by itself (`retries`); a notification or a log line that
 * never comes would not, so there the limit has a default.
 */
export function startTimeout(spec: DaemonSpec): number {
  const readiness = readinessOf(spec);
  if (spec.start_timeout !== undefined) return spec.start_timeout;
  return readiness === 'notification' || readiness === 'log' ? DEFAULT_START_TIMEOUT_MS : Number.POSITIVE_INFINITY;
}

/**
 * How long failures of a daemon that has never passed do not count, in ms: its start period, and without one the first
 * interval, since Docker's first probe comes after that.
 */
export function patience(check: Healthcheck): number {
  return check.start_period > 0 ? check.start_period : intervalOf(check);
}

/** Time from one probe to the next, in ms. `patient`: it has not passed yet and is within its patience. */
export function probeInterval(check: Healthcheck, patient: boolean): number {
  const interval = intervalOf(check);
  return patient ? Math.min(check.start_interval || DEFAULT_START_INTERVAL_MS, interval) : interval;
}

/** Zero stands for the default, as in Docker; a daemon is never probed without a pause. */
function intervalOf(check: Healthcheck): number {
  return check.interval || DEFAULT_INTERVAL_MS;
}
