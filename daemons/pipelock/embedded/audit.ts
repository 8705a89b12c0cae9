import type { Log } from '../../log/log.ts';
import { VERSION } from '../version.ts';
import type { Block } from './block.ts';
import type { Destination } from './destination.ts';

/** One request, as the log knows it. */
export interface Subject {
  readonly requestId: string;
  readonly method: string;
  /** Undefined where the request names no place that could be one. */
  readonly destination: Destination | undefined;
}

/** Writes what became of each request, with pipelock's event names and fields, and counts it. */
export interface Audit {
  blocked(subject: Subject, block: Block): void;
  forwarded(subject: Subject, done: { status: number; sent: number; received: number; duration_ms: number }): void;
  failed(subject: Subject, reason: string): void;
  tunnel(subject: Subject, event: 'tunnel_open' | 'tunnel_close', bytes?: number): void;
  socket(subject: Subject, event: 'ws_open' | 'ws_close', totals?: SocketTotals): void;
  socketBlocked(subject: Subject, block: Block): void;
  /** Prometheus text of the counters. */
  metrics(): string;
}

export interface SocketTotals {
  readonly text_messages: number;
  readonly binary_messages: number;
  readonly client_to_server_bytes: number;
  readonly server_to_client_bytes: number;
}

/** Checks that look at content: where one of them strikes, the URL may hold the secret and only its host is logged. */
const CONTENT_CHECKS = new Set(['dlp', 'body_dlp', 'header_dlp']);

export function createAudit(log: Log): Audit {
  const requests = { allowed: 0, blocked: 0 };
  const hits = new Map<string, number>();
  const tunnels = { active: 0, total: 0 };
  const sockets = { active: 0, total: 0 };

  function of({ requestId, method, destination }: Subject): Record<string, unknown> {
    return { component: 'pipelock', engine: 'embedded', request_id: requestId, method, url: destination?.url };
  }

  function count(block: Block): void {
    requests.blocked += 1;
    hits.set(block.scanner, (hits.get(block.scanner) ?? 0) + 1);
  }

  function noteBlock(subject: Subject, block: Block, event: string): void {
    count(block);
    const place = subject.destination;
    const url =
      place !== undefined && CONTENT_CHECKS.has(block.scanner)
        ? `${place.scheme}://${place.authority.host}`
        : place?.url;
    const fields = { ...of(subject), url, scanner: block.scanner, reason: block.reason, status_code: block.status };
    log('warn', `request blocked: ${block.reason}`, { ...fields, event });
  }

  return {
    blocked: (subject, block) => noteBlock(subject, block, 'blocked'),
    socketBlocked: (subject, block) => noteBlock(subject, block, 'ws_blocked'),
    forwarded(subject, { status, sent, received, duration_ms }) {
      requests.allowed += 1;
      const fields = { status_code: status, scanned_body_bytes: sent, size_bytes: received, duration_ms };
      log('info', `request forwarded: ${subject.method} ${subject.destination?.url}: ${status}`, {
        ...of(subject),
        ...fields,
        event: 'forward_http',
      });
    },
    failed(subject, reason) {
      log('error', `request failed: ${subject.destination?.url}: ${reason}`, {
        ...of(subject),
        event: 'error',
        reason,
      });
    },
    tunnel(subject, event, bytes) {
      tunnels.active += event === 'tunnel_open' ? 1 : -1;
      if (event === 'tunnel_open') tunnels.total += 1;
      const what = event === 'tunnel_open' ? 'opened' : 'closed';
      log('info', `tunnel ${what}: ${subject.destination?.authority.host}`, { ...of(subject), event, bytes });
    },
    socket(subject, event, totals) {
      sockets.active += event === 'ws_open' ? 1 : -1;
      if (event === 'ws_open') sockets.total += 1;
      const what = event === 'ws_open' ? 'opened' : 'closed';
      log('info', `WebSocket ${what}: ${subject.destination?.url}`, { ...of(subject), ...totals, event });
    },
    metrics() {
      const lines = [
        `pipelock_info{version="${VERSION}",engine="embedded"} 1`,
        'pipelock_kill_switch_active{source="config"} 0',
        `pipelock_requests_total{result="allowed"} ${requests.allowed}`,
        `pipelock_requests_total{result="blocked"} ${requests.blocked}`,
        `pipelock_tunnels_total{result="completed"} ${tunnels.total}`,
        `pipelock_active_tunnels ${tunnels.active}`,
        `pipelock_ws_connections_total ${sockets.total}`,
        `pipelock_ws_active_connections ${sockets.active}`,
        ...[...hits].map(([scanner, hit]) => `pipelock_scanner_hits_total{scanner="${scanner}"} ${hit}`),
      ];
      return `${lines.join('\n')}\n`;
    },
  };
}
