import { createCounter, createGauge, createHistogram } from '../metrics/exposition.ts';
import { HOUSEKEEPING } from './policy/judge.ts';
import type { Outcome } from './relay/rpc.ts';

/** What only the running bridge can tell, asked for each time that metrics are read. */
export interface Gauges {
  sessions(): number;
  /** 1 where every tool can be used, 0 where one cannot. */
  processStatus(): number;
}

/** The counters of the bridge, in the text format of Prometheus. */
export interface Metrics {
  countMessage(method: string, outcome: Outcome, duration_ms: number): void;
  countHttp(path: string, status: number): void;
  countSession(duration_ms: number, evicted: number): void;
  countSessionOpened(): void;
  /** A client that lost its stream took it up again. */
  countReconnection(): void;
  /** A tool asked a client for something, and the policy had its say. */
  countInspected(verdict: 'passed' | 'blocked'): void;
  countReload(outcome: 'taken' | 'refused'): void;
  /** A tool is served from now on: it shows with 0 restarts. */
  noteTool(tool: string): void;
  /** A tool was started because a process of it before had failed. */
  countRestart(tool: string): void;
  render(): string;
}

/** Paths, codes and tools come from clients and from policies; beyond so many they are counted together. */
const MOST_SERIES = 200;
const SECONDS = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120];
const SESSION_SECONDS = [1, 10, 60, 300, 1800, 7200, 43_200];
/** Requests that clients make. Another is counted as `other`: names that a client makes up must not take the place of these. */
const METHODS: ReadonlySet<string> = new Set([
  ...HOUSEKEEPING,
  'tools/call',
  'prompts/get',
  'resources/read',
  'resources/subscribe',
  'completion/complete',
]);

/** Creates the metrics; nothing is counted yet. */
export function createMetrics(gauges: Gauges): Metrics {
  const messages = createCounter('bridge_messages_total', 'Requests of clients, by outcome.', MOST_SERIES);
  const duration = createHistogram(
    'bridge_message_duration_seconds',
    'Time until a request was answered.',
    SECONDS,
    MOST_SERIES,
  );
  const errors = createCounter('bridge_message_errors_total', 'Requests answered with an error, by code.', MOST_SERIES);
  const http = createCounter('bridge_http_requests_total', 'HTTP requests, by path and status.', MOST_SERIES);
  const sessionDuration = createHistogram(
    'bridge_session_duration_seconds',
    'How long sessions lasted.',
    SESSION_SECONDS,
    1,
  );
  const evictions = createCounter(
    'bridge_buffer_evictions_total',
    'Events that a session could no longer keep for a client that resumes.',
    1,
  );
  const reloads = createCounter('bridge_config_reloads_total', 'Reads of the policy, by outcome.', 2);
  const sessionsTotal = createCounter('bridge_sessions_total', 'Sessions that were opened.', 1);
  const reconnections = createCounter('bridge_session_reconnections_total', 'Streams that were taken up again.', 1);
  const inspected = createCounter(
    'bridge_stream_inspector_events_total',
    'Requests of tools to clients, by verdict.',
    2,
  );
  const restarts = createCounter('bridge_process_restarts_total', 'Starts of a tool after it had failed.', MOST_SERIES);
  const families = [
    messages,
    duration,
    errors,
    http,
    sessionDuration,
    evictions,
    reloads,
    sessionsTotal,
    reconnections,
    inspected,
    restarts,
    createGauge('bridge_sessions_active', 'Sessions that are open.', gauges.sessions),
    createGauge('bridge_process_status', '1: every tool can be used. 0: one keeps failing.', gauges.processStatus),
  ];

  return {
    countMessage(method, outcome, duration_ms) {
      const label = METHODS.has(method) ? method : 'other';
      messages.add({ direction: 'inbound', status: 'error' in outcome ? 'error' : 'ok', method: label });
      duration.observe({ method: label }, duration_ms / 1000);
      if ('error' in outcome) errors.add({ code: String(outcome.error.code) });
    },
    countHttp: (path, status) => http.add({ path, status: String(status) }),
    countSession(duration_ms, evicted) {
      sessionDuration.observe({}, duration_ms / 1000);
      if (evicted > 0) evictions.add({}, evicted);
    },
    countSessionOpened: () => sessionsTotal.add({}),
    countReconnection: () => reconnections.add({}),
    countInspected: (verdict) => inspected.add({ verdict }),
    countReload: (outcome) => reloads.add({ outcome }),
    noteTool: (tool) => restarts.add({ tool }, 0),
    countRestart: (tool) => restarts.add({ tool }),
    render: () => families.map((family) => family.render()).join(''),
  };
}
