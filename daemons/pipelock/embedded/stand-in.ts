import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { answerText, answerTextOn } from '../../http/refusal.ts';
import type { Log } from '../../log/log.ts';
import type { Scanner } from '../../scanner/finding.ts';
import { parseListen } from '../environment.ts';
import type { PipelockConfig } from '../pipelock-config.ts';
import { VERSION } from '../version.ts';
import { addressChecker, type Resolve } from './addresses.ts';
import { createAudit } from './audit.ts';
import { createBudget } from './body.ts';
import type { Context } from './context.ts';
import { createDlp } from './dlp.ts';
import { forward } from './forward.ts';
import { createOrigins, trustedAuthorities } from './origin.ts';
import { rateLimit } from './rate.ts';
import { openTunnel } from './tunnel.ts';
import { createSocketProxy } from './websocket.ts';

export interface StandInOptions {
  readonly config: PipelockConfig;
  readonly scanner: Scanner;
  readonly log: Log;
  /** How names are resolved; the system's way unless a test has its own. */
  readonly resolve?: Resolve;
}

/** The embedded stand-in, listening. */
export interface StandIn {
  readonly port: number;
  readonly metricsPort: number;
  /** New requests are judged by this configuration; what runs goes on by the old one. Listeners stay where they are. */
  reload(config: PipelockConfig): void;
  /** Stops taking requests, lets running ones end within 5 s, then cuts them. */
  close(): Promise<void>;
}

/** Bodies of all requests together may hold this much memory, or twice the longest body where that is more. */
const BODY_MEMORY_BYTES = 128 * 1024 * 1024;
/** Beside the URL, which counts as a part of the header for Node. */
const MOST_HEADER_BYTES = 64 * 1024;
const MOST_CONNECTIONS = 2048;
const GRACE_MS = 5_000;

/** Starts the stand-in. Rejects where it cannot listen. */
export async function startStandIn({ config, scanner, log, resolve }: StandInOptions): Promise<StandIn> {
  const started = Date.now();
  const audit = createAudit(log);
  const budget = createBudget(Math.max(BODY_MEMORY_BYTES, 2 * config.request_body_scanning.max_body_bytes));
  const authorities = trustedAuthorities();
  const takeUpgrade = createSocketProxy(authorities);
  let context = contextOf(config);

  function contextOf(config: PipelockConfig): Context {
    return {
      config,
      audit,
      budget,
      dlp: createDlp(scanner, config),
      resolve: addressChecker(config, resolve),
      withinRate: rateLimit(config.fetch_proxy.monitoring.max_requests_per_minute),
      origins: createOrigins(authorities),
    };
  }

  /** A fault of ours on one request ends that request only. */
  function guard(work: Promise<void>, client: Duplex): void {
    work.catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      log('error', `internal fault on a request: ${reason}`, { event: 'fault', reason });
      client.destroy();
    });
  }

  function take(request: IncomingMessage, response: ServerResponse): void {
    request.on('error', () => {});
    response.on('error', () => {});
    if (!request.url?.startsWith('/')) {
      guard(forward(context, request, response), request.socket);
      return;
    }
    if (request.url === '/health') answerHealth(response, context.config, started);
    else answerText(response, { status: 404, text: 'the embedded stand-in has no such page\n' }, true);
  }

  function upgrade(request: IncomingMessage, client: Duplex, early: Buffer): void {
    client.on('error', () => client.destroy());
    if (request.url?.startsWith('/ws?')) {
      guard(takeUpgrade(context, request, client, early), client);
      return;
    }
    const text = 'blocked: an upgrade cannot pass as an absolute-URI request; use GET /ws?url=wss://…\n';
    answerTextOn(client, { status: 501, text });
  }

  const server = createServer({
    maxHeaderSize: MOST_HEADER_BYTES + config.fetch_proxy.monitoring.max_url_length,
    headersTimeout: 30_000,
    // A long body, or a long answer, has its own clocks.
    requestTimeout: 0,
    keepAliveTimeout: 60_000,
  });
  server.maxConnections = MOST_CONNECTIONS;
  const sockets = trackSockets(server);
  server.on('request', take).on('checkContinue', take).on('upgrade', upgrade);
  server.on('connect', (request, client, early) => guard(openTunnel(context, request, client, early), client));
  server.on('clientError', (_error, client) => answerTextOn(client, { status: 400, text: 'malformed request\n' }));
  const metrics = createServer((_request, response) => {
    answerText(response, { status: 200, text: audit.metrics() }, false);
  });

  const port = await listen(server, config.fetch_proxy.listen);
  const metricsPort = await listen(metrics, config.metrics_listen);
  return {
    port,
    metricsPort,
    reload(config) {
      const old = context;
      context = contextOf(config);
      // Its idle connections went to addresses that may no longer be allowed; busy ones end with their requests.
      old.origins.retire();
    },
    async close() {
      metrics.close();
      metrics.closeAllConnections();
      await ended(server, sockets);
      context.origins.close();
    },
  };
}

function answerHealth(response: ServerResponse, config: PipelockConfig, started: number): void {
  const health = {
    status: 'healthy',
    engine: 'embedded',
    version: VERSION,
    mode: config.mode,
    uptime_seconds: Math.round((Date.now() - started) / 1000),
    response_scan_enabled: config.response_scanning.enabled,
    git_protection_enabled: false,
    rate_limit_enabled: true,
    forward_proxy_enabled: config.forward_proxy.enabled,
    websocket_proxy_enabled: config.websocket_proxy.enabled,
    request_body_scan_enabled: config.request_body_scanning.enabled,
    tls_interception_enabled: config.tls_interception.enabled,
    kill_switch_active: config.kill_switch.enabled,
  };
  response.setHeader('Content-Type', 'application/json');
  response.end(`${JSON.stringify(health)}\n`);
}

function listen(server: Server, address: string): Promise<number> {
  const place = parseListen(address);
  if (place === undefined) return Promise.reject(new Error(`${address} is not an address with a port`));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(place.port, place.host, () => {
      server.off('error', reject);
      resolve(portOf(server.address()));
    });
  });
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Tunnels and WebSockets are no longer the server's, so its sockets are counted here. */
function trackSockets(server: Server): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function ended(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, GRACE_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
