import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type RequestOptions,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import {
  type CertificateAuthority,
  openCertificateAuthority,
} from '../../../../daemons/egress/certificate-authority.ts';
import type { Unread } from '../../../../daemons/egress/engine.ts';
import { defaultLimits, type Limits } from '../../../../daemons/egress/limits.ts';
import { createProxy, type EgressProxy, type ProxyOptions } from '../../../../daemons/egress/proxy.ts';
import { throughPipelock } from '../../../../daemons/egress/upstream.ts';
import type { Exchange, Judge } from '../../../../daemons/egress/verdict.ts';

/** The proxy between a client and a server that takes whole URIs, as pipelock does. */
export interface Bottle {
  readonly port: number;
  readonly ca: CertificateAuthority;
  readonly proxy: EgressProxy;
  /** The server in pipelock's place. */
  readonly upstream: Server;
  readonly exchanges: readonly Exchange[];
  /** What was refused for its form. */
  readonly unread: readonly Unread[];
  /** The next exchange that is reported, or the `n`th of all. */
  reported(n: number): Promise<Exchange>;
}

/** Options of a request, its headers as an object. */
type AskOptions = Omit<RequestOptions, 'headers'> & { readonly headers?: Record<string, string | string[]> };

export interface BottleOptions {
  readonly origin?: (request: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  readonly judge?: Judge;
  readonly limits?: Partial<Limits>;
  readonly own?: NonNullable<ProxyOptions['own']>;
  /** Where pipelock is said to be, instead of the server. */
  readonly pipelock?: string;
}

export const allowAll: Judge = ({ authority, target, headers }) => ({
  kind: 'allowed',
  route: authority.host,
  target,
  headers,
  watch: undefined,
  trailers: (fields) => fields,
  answerHeaders: (fields) => fields,
});

/** What the origin saw, as JSON: the answer of an origin that is not given. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: string[];
  readonly body: string;
  readonly trailers: string[];
}

export function echo(incoming: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = [];
  incoming.on('data', (piece: Buffer) => pieces.push(piece));
  incoming.on('end', () => {
    const { method = '', url = '', rawHeaders, rawTrailers } = incoming;
    const body = Buffer.concat(pieces).toString('latin1');
    response.end(JSON.stringify({ method, url, headers: rawHeaders, body, trailers: rawTrailers } satisfies Seen));
  });
}

export async function openBottle(t: TestContext, options: BottleOptions = {}): Promise<Bottle> {
  const directory = await mkdtemp(join(tmpdir(), 'bottle-'));
  const upstream = createServer({ maxHeaderSize: 256 * 1024 }, options.origin ?? echo);
  upstream.on('clientError', (_error, socket) => socket.destroy());
  if (options.upgrade !== undefined) upstream.on('upgrade', options.upgrade);
  const upstreamPort = await listening(upstream);
  const ca = await openCertificateAuthority(join(directory, 'ca'));
  const exchanges: Exchange[] = [];
  const unread: Unread[] = [];
  const waiting = new Set<() => void>();
  const proxy = createProxy({
    judge: () => options.judge ?? allowAll,
    ca,
    upstream: throughPipelock(options.pipelock ?? `http://127.0.0.1:${upstreamPort}`),
    limits: { ...defaultLimits, sweep_ms: 20, ...options.limits },
    report: (exchange) => {
      exchanges.push(exchange);
      for (const look of waiting) look();
    },
    reportUnread: (one) => unread.push(one),
    ...(options.own === undefined ? {} : { own: options.own }),
  });
  const { port } = await proxy.listen('127.0.0.1', 0);
  t.after(async () => {
    await proxy.close(0);
    upstream.closeAllConnections();
    upstream.close();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    port,
    ca,
    proxy,
    upstream,
    exchanges,
    unread,
    reported: (n) =>
      new Promise((resolve) => {
        const look = (): void => {
          const exchange = exchanges[n - 1];
          if (exchange === undefined) return;
          waiting.delete(look);
          resolve(exchange);
        };
        waiting.add(look);
        look();
      }),
  };
}

export async function listening(server: NetServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return portOf(server.address());
}

export function portOf(address: AddressInfo | string | null): number {
  if (typeof address === 'object' && address !== null) return address.port;
  throw new Error('not listening on a port');
}

/** A plain connection to the proxy. */
export async function dial({ port }: { readonly port: number }): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** A connection that CONNECT has been answered on with 200; throws the answer where it is another. */
export async function connectTo(bottle: Bottle, authority: string, host = authority): Promise<Socket> {
  const socket = await dial(bottle);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  if (!String(answer).startsWith('HTTP/1.1 200 ')) throw new Error(String(answer));
  return socket;
}

export interface TlsOptions {
  /** The name in the handshake; false for none. */
  readonly serverName?: string | false;
  readonly protocols?: string[];
}

/** TLS through the proxy, with the bottle's authority as the only one trusted. */
export async function secure(bottle: Bottle, authority: string, options: TlsOptions = {}): Promise<TLSSocket> {
  const socket = await connectTo(bottle, authority);
  const host = authority.replace(/:\d+$/, '');
  const { serverName = host, protocols = ['http/1.1'] } = options;
  const tls = connectTls({
    socket,
    ca: bottle.ca.certificate,
    ALPNProtocols: protocols,
    ...(serverName === false ? { host: host.replace(/^\[|\]$/g, '') } : { servername: serverName }),
  });
  await once(tls, 'secureConnect');
  tls.on('error', () => {});
  return tls;
}

/** An HTTP/2 session through the proxy. */
export async function session(t: TestContext, bottle: Bottle, authority: string): Promise<ClientHttp2Session> {
  const socket = await secure(bottle, authority, { protocols: ['h2'] });
  const client = connectHttp2(`https://${authority}`, { createConnection: () => socket });
  client.on('error', () => {});
  t.after(() => client.destroy());
  return client;
}

/** Begins a request in a tunnel of its own. */
export async function begin(bottle: Bottle, url: string, options: AskOptions = {}): Promise<ClientRequest> {
  const { host, hostname, port, pathname, search, protocol } = new URL(url);
  const isSecure = protocol === 'https:';
  const authority = port === '' ? `${hostname}:${isSecure ? 443 : 80}` : host;
  const socket = isSecure ? await secure(bottle, authority) : await connectTo(bottle, authority);
  const made = request({
    createConnection: () => socket,
    path: pathname + search,
    setHost: false,
    ...options,
    headers: { Host: host, ...options.headers },
  });
  made.on('close', () => socket.destroy());
  return made;
}

export interface Reply {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
}

/** A whole request in a tunnel of its own. */
export async function ask(
  bottle: Bottle,
  url: string,
  options: AskOptions = {},
  body?: string | Buffer,
): Promise<Reply> {
  const made = await begin(bottle, url, options);
  made.end(body);
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  return await readReply(response);
}

export async function readReply(response: IncomingMessage): Promise<Reply> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const { statusCode = 0, rawHeaders, rawTrailers } = response;
  return { status: statusCode, headers: rawHeaders, body: Buffer.concat(pieces).toString(), trailers: rawTrailers };
}

/** What the origin saw of a request that `echo` answered. */
export function seen({ body }: { readonly body: string }): Seen {
  return JSON.parse(body);
}

/** The values of a field in raw headers. */
export function field(headers: readonly string[], name: string): string[] {
  return headers.filter((_value, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === name);
}

/** Everything that comes on a socket until it ends. */
export async function readAll(socket: Duplex): Promise<string> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of socket) pieces.push(piece);
  } catch {
    // A reset after the answer: what came before it counts.
  }
  return Buffer.concat(pieces).toString('latin1');
}

/** Everything that comes until it holds `what`. */
export function readUntil(socket: Duplex, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const take = (piece: Buffer): void => {
      text += piece.toString('latin1');
      if (!text.includes(what)) return;
      socket.removeListener('data', take);
      resolve(text);
    };
    socket.on('data', take);
    socket.once('close', () => reject(new Error(`closed after: ${text}`)));
  });
}

/** Waits for a condition; the deadline is long because the machine may be busy. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface Http2Reply {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
  readonly trailers: Record<string, unknown>;
}

/** A whole request over an HTTP/2 session. */
export async function askHttp2(
  client: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  body?: string | Buffer,
  trailers?: Record<string, string>,
): Promise<Http2Reply> {
  const stream = client.request(headers, { endStream: body === undefined, waitForTrailers: trailers !== undefined });
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (body !== undefined) stream.end(body);
  let after: Record<string, unknown> = {};
  stream.on('trailers', (fields) => {
    after = { ...fields };
  });
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  const [response] = await once(stream, 'response');
  if (!stream.closed) await once(stream, 'close');
  return { status: response[':status'], headers: response, body: Buffer.concat(pieces).toString(), trailers: after };
}
