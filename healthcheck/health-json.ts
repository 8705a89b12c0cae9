import type { DaemonHealth, HealthReport, HealthStatus } from './aggregate.ts';

/** Media type of `healthJson` (draft-inadarei-api-health-check). */
export const HEALTH_JSON = 'application/health+json';

export type CheckStatus = 'pass' | 'warn' | 'fail';

/** One observation of one daemon. */
export interface HealthJsonCheck {
  readonly componentId: string;
  readonly componentType: 'component';
  readonly status: CheckStatus;
  /** RFC 3339. */
  readonly time: string;
  /** Why it does not pass; absent where it passes, as the draft asks. */
  readonly output?: string;
}

export interface HealthJson {
  readonly status: CheckStatus;
  readonly version: string;
  readonly description: string;
  readonly output?: string;
  /** Keyed by "<daemon>:ready"; the draft has a list under each key. */
  readonly checks: Readonly<Record<string, readonly HealthJsonCheck[]>>;
}

export interface HealthJsonOptions {
  /** Version of bottled. */
  readonly version: string;
  /** When the report was made. */
  readonly now: Date;
}

/**
 * The report as `/healthz` answers it. A starting bundle fails, because the draft's `warn` means healthy with concerns.
 * A daemon that is not to run (completed, or stopped by an operator) passes.
 */
export function healthJson(report: HealthReport, { version, now }: HealthJsonOptions): HealthJson {
  const time = now.toISOString();
  const status = STATUS[report.status];
  return {
    status,
    version,
    description: 'Health of the bundle and of each of its daemons',
    ...(status === 'pass' ? {} : { output: report.text }),
    checks: Object.fromEntries(report.daemons.map((daemon) => [`${daemon.name}:ready`, [checkOf(daemon, time)]])),
  };
}

const STATUS: Readonly<Record<HealthStatus, CheckStatus>> = {
  starting: 'fail',
  healthy: 'pass',
  degraded: 'warn',
  unhealthy: 'fail',
};

function checkOf(daemon: DaemonHealth, time: string): HealthJsonCheck {
  const seen = { componentId: daemon.name, componentType: 'component', time } as const;
  if (daemon.ready || !daemon.wanted) return { ...seen, status: 'pass' };
  return { ...seen, status: daemon.essential ? 'fail' : 'warn', output: daemon.text };
}
