/** The health of a whole bundle (DESIGN 8). */
export const HEALTH_STATUSES = ['starting', 'healthy', 'degraded', 'unhealthy'] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

/** What the aggregate needs to know of one daemon. */
export interface DaemonHealth {
  readonly name: string;
  readonly essential: boolean;
  /** It should be doing its job: not completed, not stopped by an operator, not yet to be started by anyone. */
  readonly wanted: boolean;
  readonly ready: boolean;
  /** It has been ready once since the bundle started. */
  readonly everReady: boolean;
  /** It has failed, or its start period is over: not being ready is no longer a matter of patience. */
  readonly overdue: boolean;
  /** In words, e.g. "backoff: exit code 3, next try in 1.2 s". */
  readonly text: string;
}

/** The aggregate with its reasons. */
export interface HealthReport {
  readonly status: HealthStatus;
  /** One sentence for a human, e.g. "degraded: git-gate is not ready (backoff: exit code 3)". */
  readonly text: string;
  readonly daemons: readonly DaemonHealth[];
}
