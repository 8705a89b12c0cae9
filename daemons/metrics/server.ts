import { once } from 'node:events';
import { createServer } from 'node:http';

/** Loopback only: what an agent asks for, and how often, is not for the network. */
const HOST = '127.0.0.1';

/** Serves `/metrics` in the text format of Prometheus. 0 takes any free port. Rejects where the port is taken. */
export async function serveMetrics(port: number, render: () => string): Promise<{ readonly port: number }> {
  const server = createServer({ requestTimeout: 5000, headersTimeout: 5000 }, (request, response) => {
    request.resume();
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || request.url?.split('?', 1)[0] !== '/metrics') {
      response.writeHead(isRead ? 404 : 405, { 'content-type': 'text/plain; charset=utf-8' });
      response.end('metrics are at GET /metrics\n');
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(render());
  });
  server.maxConnections = 16;
  server.listen(port, HOST);
  await once(server, 'listening');
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : port };
}
