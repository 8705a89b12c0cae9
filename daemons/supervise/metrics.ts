import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Desk } from './queue/desk.ts';

/** Loopback only: what an agent asks for, and how often, is not for the network. */
const HOST = '127.0.0.1';

/** Everything that is measured, in the text format of Prometheus (version 0.0.4). */
export function renderMetrics(desk: Desk, sessions: number): string {
  const byStatus = new Map<string, number>();
  for (const { proposal } of desk.state.entries.values()) {
    const labels = `{status="${proposal.status}",kind="${proposal.kind}"}`;
    byStatus.set(labels, (byStatus.get(labels) ?? 0) + 1);
  }
  return [
    family('supervise_proposals', 'gauge', 'Proposals that are kept, by status and kind.', [...byStatus]),
    family('supervise_proposals_total', 'counter', 'Proposals since the log began.', [['', desk.state.created]]),
    family('supervise_refused_total', 'counter', 'Proposals beyond a limit, refused.', [['', desk.counts.refused]]),
    family('supervise_merged_total', 'counter', 'Proposals that were made already.', [['', desk.counts.merged]]),
    family('supervise_log_records', 'gauge', 'Number of the last record of the log.', [['', desk.head.seq]]),
    family('supervise_log_read_only', 'gauge', '1 while nothing can be decided.', [
      ['', desk.readOnly === undefined ? 0 : 1],
    ]),
    family('supervise_sessions', 'gauge', 'MCP sessions of clients before 2026-07-28.', [['', sessions]]),
  ].join('');
}

function family(name: string, type: string, help: string, series: readonly (readonly [string, number])[]): string {
  const lines = series.map(([labels, value]) => `${name}${labels} ${value}`);
  return `${[`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join('\n')}\n`;
}

/** Serves `GET /metrics`. 0 takes any free port. Rejects where the port is taken. */
export async function serveMetrics(port: number, render: () => string): Promise<Server> {
  const server = createServer({ requestTimeout: 5000, headersTimeout: 5000 }, (request, response) => {
    request.resume();
    const isThere = request.method === 'GET' && request.url?.split('?', 1)[0] === '/metrics';
    response.writeHead(isThere ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(isThere ? render() : 'metrics are at GET /metrics\n');
  });
  server.maxConnections = 16;
  server.listen(port, HOST);
  await once(server, 'listening');
  return server;
}
