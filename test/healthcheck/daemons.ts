import type { DaemonHealth } from '../../healthcheck/aggregate.ts';

/** A daemon that is ready, unless `health` says otherwise. */
export function daemon(name: string, health: Partial<DaemonHealth> = {}): DaemonHealth {
  return {
    name,
    essential: true,
    wanted: true,
    ready: true,
    everReady: true,
    overdue: false,
    text: 'running',
    ...health,
  };
}
