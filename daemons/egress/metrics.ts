import { createCounter, createGauge, createHistogram } from '../metrics/exposition.ts';
import type { SecretAction } from './judge.ts';
import type { Exchange } from './verdict.ts';

/** What only the running daemon can tell, asked for each time that metrics are read. */
export interface Gauges {
  routes(): number;
  connections(): number;
  tunnels(): number;
  /** When routes and credentials were last taken over, in milliseconds since 1970; 0 where they never were. */
  lastReload_ms(): number;
}

/** The counters of egress, in the text format of Prometheus. */
export interface Metrics {
  countExchange(exchange: Exchange): void;
  countReload(outcome: 'taken' | 'refused'): void;
  countSecret(kind: 'canary' | 'known-secret', action: SecretAction): void;
  render(): string;
}

/** Routes and codes come from our own files, but a reload brings new ones: a series lives as long as the process. */
const MOST_SERIES = 2000;

const SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** The label of a request that no route matched. */
const NO_ROUTE = 'none';

/** Creates the metrics; nothing is counted yet. */
export function createMetrics(gauges: Gauges): Metrics {
  const requests = createCounter(
    'egress_requests_total',
    'Requests by route and by the status that the agent saw (0: none).',
    MOST_SERIES,
  );
  const refused = createCounter('egress_refused_total', 'Requests that egress itself refused, by code.', MOST_SERIES);
  const faults = createCounter('egress_faults_total', 'Exchanges that ended early, by fault.', MOST_SERIES);
  const sent = createCounter('egress_sent_bytes_total', 'Bytes of bodies that went out, by route.', MOST_SERIES);
  const received = createCounter(
    'egress_received_bytes_total',
    'Bytes of bodies that came back, by route.',
    MOST_SERIES,
  );
  const duration = createHistogram(
    'egress_request_duration_seconds',
    'Time from the request to the end of its answer.',
    SECONDS,
    MOST_SERIES,
  );
  const secrets = createCounter('egress_secret_findings_total', 'Known secrets seen on their way out.', MOST_SERIES);
  const reloads = createCounter('egress_reloads_total', 'Reads of routes and credentials, by outcome.', MOST_SERIES);
  const families = [
    requests,
    refused,
    faults,
    sent,
    received,
    duration,
    secrets,
    reloads,
    createGauge('egress_routes', 'Routes in force.', gauges.routes),
    createGauge('egress_open_connections', 'Connections from the agent.', gauges.connections),
    createGauge('egress_open_tunnels', 'CONNECT tunnels and WebSockets from the agent.', gauges.tunnels),
    createGauge('egress_last_reload_success_timestamp_seconds', 'When routes were last taken over.', () =>
      Math.round(gauges.lastReload_ms() / 1000),
    ),
  ];

  function countExchange({ verdict, status, sentBytes, receivedBytes, duration_ms, fault }: Exchange): void {
    const route = verdict.kind === 'answered' ? 'egress.internal' : (verdict.route ?? NO_ROUTE);
    requests.add({ route, code: String(status ?? 0) });
    if (verdict.kind === 'refused') refused.add({ code: verdict.code });
    if (fault !== undefined) faults.add({ fault });
    sent.add({ route }, sentBytes);
    received.add({ route }, receivedBytes);
    duration.observe({ route }, duration_ms / 1000);
  }

  return {
    countExchange,
    countReload: (outcome) => reloads.add({ outcome }),
    countSecret: (kind, action) => secrets.add({ kind, action }),
    render: () => families.map((family) => family.render()).join(''),
  };
}
