import type { HealthStatus } from './aggregate.ts';

export const HEALTH_ROUTES = ['/livez', '/readyz', '/healthz'] as const;
export type HealthRoute = (typeof HEALTH_ROUTES)[number];

/** The HTTP status of a health route. `/livez` asks only whether the init's loop turns, which any answer proves. */
export function httpStatus(route: HealthRoute, status: HealthStatus): 200 | 503 {
  return route === '/livez' || status === 'healthy' || status === 'degraded' ? 200 : 503;
}

export interface ExitCodeOptions {
  /** Degraded is not good enough. */
  readonly strict?: boolean;
}

/** The exit code of `bottled health` and of the HEALTHCHECK probe. */
export function exitCode(status: HealthStatus, { strict = false }: ExitCodeOptions = {}): 0 | 1 {
  return status === 'healthy' || (status === 'degraded' && !strict) ? 0 : 1;
}
