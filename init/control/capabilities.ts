import type { Bundle, DaemonSpec } from '../bundle/schema.ts';
import { activeHealthcheck } from '../lifecycle/readiness.ts';
import type { Layout } from '../status.ts';

/** How a daemon is probed. Durations in ms. */
export interface Probe {
  readonly kind: 'http' | 'tcp' | 'unix' | 'command';
  /** What it reaches: a URL, host:port or a path. Null for a command, whose arguments are nobody's business. */
  readonly target: string | null;
  readonly interval_ms: number;
  readonly timeout_ms: number;
}

/** What a dashboard has to know of a daemon before it offers commands for it. */
export interface DaemonCapability {
  readonly name: string;
  readonly essential: boolean;
  readonly restart: string;
  readonly probe: Probe | null;
}

/** The part of the capabilities that only the init knows. */
export interface InitCapabilities {
  readonly layout: Layout;
  readonly daemons: readonly DaemonCapability[];
}

/** The line that other generations of the legacy layout write, which people look for in logs, and what it means here. */
export const LEGACY_LINE =
  'compose_agent=false - running in legacy mode (Status Panel handles all operations): one container a daemon, each with an init of its own; ask each for its own daemons (docs/compose.md)';

/** The layout that this container is a part of, by `BOTTLED_LAYOUT`; anything but "split" is the bundle. */
export function layoutOf(environment: { readonly BOTTLED_LAYOUT?: string | undefined }): Layout {
  return environment.BOTTLED_LAYOUT?.trim().toLowerCase() === 'split' ? 'split' : 'bundle';
}

/** The daemons with their probes. */
export function daemonCapabilities({ daemons }: Pick<Bundle, 'daemons'>): readonly DaemonCapability[] {
  return Object.entries(daemons).map(([name, spec]) => ({
    name,
    essential: spec.essential,
    restart: spec.restart,
    probe: probeOf(spec),
  }));
}

/** What the routes at these paths add up to, in the words of dashboards. */
export function featuresOf(paths: readonly string[]): string[] {
  return Object.entries(FEATURES)
    .filter(([, path]) => paths.includes(path))
    .map(([feature]) => feature);
}

const FEATURES = {
  monitoring: '/v1/status',
  metrics: '/metrics',
  health: '/healthz',
  logs: '/v1/logs',
  events: '/v1/events',
  audit: '/v1/audit',
  start: '/v1/daemons/{name}/start',
  stop: '/v1/daemons/{name}/stop',
  restart: '/v1/daemons/{name}/restart',
  signal: '/v1/daemons/{name}/signal',
  reload: '/v1/reload',
} as const;

function probeOf(spec: DaemonSpec): Probe | null {
  const check = activeHealthcheck(spec);
  if (check === undefined) return null;
  const { http, tcp, unix, interval, timeout } = check;
  const times = { interval_ms: interval, timeout_ms: timeout };
  if (http !== undefined) {
    return { kind: 'http', target: `${http.scheme}://${http.host}:${http.port}${http.path}`, ...times };
  }
  if (tcp !== undefined) return { kind: 'tcp', target: `${tcp.host}:${tcp.port}`, ...times };
  if (unix !== undefined) return { kind: 'unix', target: unix.path, ...times };
  return { kind: 'command', target: null, ...times };
}
