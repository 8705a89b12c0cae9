import type { ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { Engine, Unread } from './engine.ts';
import { createHttp1Front, type OwnRequest } from './http1-front.ts';
import { serveHttp2 } from './http2-front.ts';
import type { Limits } from './limits.ts';
import { createTunnelFront } from './tunnel-front.ts';
import type { Upstream } from './upstream.ts';
import type { Answered, Exchange, Judge } from './verdict.ts';
import { createWaits } from './waits.ts';

export interface ProxyOptions {
  /** The policy in force: asked for with each request, so that it can be exchanged at any time. */
  readonly judge: () => Judge;
  readonly ca: CertificateAuthority;
  readonly upstream: Upstream;
  readonly limits: Limits;
  /** Told of each exchange when it is over. */
  readonly report: (exchange: Exchange) => void;
  /** Told of what was refused for its form, before anybody knew what was asked for. */
  readonly reportUnread?: (unread: Unread) => void;
  /** Answers requests to the proxy itself, e.g. `GET /__health`; undefined refuses them. */
  readonly own?: (request: OwnRequest) => Answered | undefined;
}

/** What is open now, and what did not come as far as an exchange. */
export interface Figures {
  readonly connections: number;
  readonly tunnels: number;
  readonly webSockets: number;
  /** Requests under way. */
  readonly exchanges: number;
  /** Requests that were no sound HTTP, since the start. */
  readonly malformed: number;
  /** Connections turned away, or closed to make room, because too many were open, since the start. */
  readonly dropped: number;
}

export interface EgressProxy {
  /** Throws what `listen(2)` says, e.g. `EADDRINUSE`. Port 0 takes a free one. */
  listen(host: string, port: number): Promise<{ readonly port: number }>;
  /** Stops accepting, lets what is under way finish for `grace_ms`, and ends what is left then. */
  close(grace_ms: number): Promise<void>;
  /** Ends every connection at once, with whatever is under way on it. New ones are accepted. */
  endConnections(): void;
  figures(): Figures;
}

/** How often a close looks whether everything has finished. */
const closing_ms = 20;

/** The agent's HTTP and HTTPS proxy: ends TLS, asks the policy about each request, and sends what it allows upstream. */
export function createProxy({
  judge,
  ca,
  upstream,
  limits,
  report,
  reportUnread = () => {},
  own = () => undefined,
}: ProxyOptions): EgressProxy {
  const open = { exchanges: 0, webSockets: 0, tunnels: 0, heldBytes: 0 };
  const waits = createWaits(limits.sweep_ms);
  const engine: Engine = { judge, upstream, limits, waits, report, reportUnread, open };
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  let dropped = 0;

  const tunnels = createTunnelFront(engine, ca, {
    http1: (tunnel, socket) => http1.serve(tunnel, socket),
    http2: (tunnel, socket) => {
      const session = serveHttp2(engine, tunnel, socket);
      sessions.add(session);
      session.once('close', () => sessions.delete(session));
    },
  });
  const http1 = createHttp1Front(engine, own, tunnels.open);
  const { server } = http1;
  server.on('connection', (socket: Socket) => {
    if (!isAccepted(socket)) return;
    if (sockets.size >= limits.connections) {
      dropped += 1;
      const idle = oldestIdle();
      (idle ?? socket).destroy();
      if (idle === undefined) return;
      sockets.delete(idle);
    }
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  });

  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port, backlog: 511 }, () => {
          server.removeListener('error', reject);
          resolve({ port: portOf(server.address()) });
        });
      }),
    async close(grace_ms) {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeIdleConnections();
      for (const session of sessions) session.close();
      const deadline = performance.now() + grace_ms;
      while (isBusy() && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, closing_ms));
      }
      endConnections();
      await closed;
      waits.close();
      upstream.close();
    },
    endConnections,
    figures() {
      const { exchanges, webSockets, tunnels } = open;
      return { connections: sockets.size, exchanges, webSockets, tunnels, malformed: http1.malformed, dropped };
    },
  };

  function endConnections(): void {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
  }

  /** Connections in tunnels come by here too; they ride on one that was accepted before. */
  function isAccepted(socket: Socket): boolean {
    return !http1.isTunnelled(socket);
  }

  function oldestIdle(): Socket | undefined {
    for (const socket of sockets) if (http1.isIdle(socket)) return socket;
    return undefined;
  }

  function isBusy(): boolean {
    return open.exchanges > 0 || open.webSockets > 0;
  }
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}
