import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { formatAuthority } from '../../authority/authority.ts';
import { requestFramingFault } from '../../http/framing.ts';
import { allValues, endToEnd, firstValue } from '../../http/headers.ts';
import { answerTextOn } from '../../http/refusal.ts';
import { VERSION } from '../version.ts';
import { pinned, type Resolved } from './addresses.ts';
import type { Subject } from './audit.ts';
import { type Block, blocked } from './block.ts';
import { type Context, judgeDestination, subjectOf } from './context.ts';
import { type Destination, defaultPort, parseDestination, withTarget } from './destination.ts';

const HANDSHAKE_MS = 30_000;
/** Of what was said before, scanned again with the next message, so that a secret cut into pieces is seen. */
const TAIL_BYTES = 256;
/** The headers that pipelock takes along to a WebSocket (internal/proxy/websocket.go, buildWSForwardHeaders). */
const TAKEN_ALONG = ['authorization', 'x-api-key', 'x-goog-api-key'];

/** Takes `GET /ws?url=wss://…` with an upgrade. */
export type TakeUpgrade = (context: Context, request: IncomingMessage, client: Duplex, early: Buffer) => Promise<void>;

/** Connects agents to WebSocket servers and scans every message on its way out. `authorities` as in createOrigins. */
export function createSocketProxy(authorities: readonly string[]): TakeUpgrade {
  let connections = 0;

  return async (context, request, client, early) => {
    client.on('error', () => client.destroy());
    const destination = targetOf(request.url ?? '');
    const subject = subjectOf('WS', destination);
    // Counted before it is judged, which takes time: many that come at once must not all find room.
    connections += 1;
    try {
      const judged = await judge(context, request, destination, connections);
      if (!judged.ok || destination === undefined) {
        const block = judged.ok ? blocked('parser', 'invalid URL', 400) : judged.block;
        context.audit.socketBlocked(subject, block);
        answerTextOn(client, { status: block.status, text: `WebSocket blocked: ${block.reason}\n` });
        return;
      }
      const upstream = await connected({ request, destination, addresses: judged.addresses, context });
      if (!(upstream instanceof WebSocket)) {
        context.audit.failed(subject, upstream.reason);
        answerTextOn(client, { status: 502, text: `WebSocket dial failed: ${upstream.reason}\n` });
        return;
      }
      const agent = await accepted({ request, client, early, upstream, context });
      if (agent !== undefined) await relay({ context, subject, agent, upstream });
      upstream.terminate();
    } finally {
      connections -= 1;
    }
  };

  async function connected(wanted: Dial): Promise<WebSocket | { readonly reason: string }> {
    try {
      return await opened(dial(wanted));
    } catch {
      return { reason: 'the handshake cannot be made of these headers' };
    }
  }

  function dial({ request, destination, addresses, context }: Dial): WebSocket {
    const { authority, scheme, target } = destination;
    const host = formatAuthority(authority, defaultPort(scheme));
    const limits = context.config.websocket_proxy;
    // Those that were judged: what Connection names ends here.
    const judged = endToEnd(request.rawHeaders);
    const headers: Record<string, string> = {
      Origin: `${scheme}://${host}`,
      'User-Agent': `${firstValue(judged, 'user-agent') ?? 'pipelock'} pipelock/embedded-${VERSION}`,
    };
    for (const name of TAKEN_ALONG) {
      const value = firstValue(judged, name);
      if (value !== undefined) headers[name] = value;
    }
    const offered = allValues(judged, 'sec-websocket-protocol').join(',');
    const protocols = offered.split(',').map((each) => each.trim());
    return new WebSocket(`${scheme === 'http' ? 'ws' : 'wss'}://${host}${target}`, protocols.filter(Boolean), {
      headers,
      lookup: pinned(addresses),
      ca: [...authorities],
      perMessageDeflate: false,
      followRedirects: false,
      handshakeTimeout: HANDSHAKE_MS,
      maxPayload: limits.max_message_bytes,
    });
  }
}

interface Accept {
  readonly request: IncomingMessage;
  readonly client: Duplex;
  readonly early: Buffer;
  readonly upstream: WebSocket;
  readonly context: Context;
}

/** The agent's side, open; undefined where the agent is gone. */
function accepted({ request, client, early, upstream, context }: Accept): Promise<WebSocket | undefined> {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: context.config.websocket_proxy.max_message_bytes,
  });
  // The server agreed to one protocol; the agent must hear of just that one.
  if (upstream.protocol === '') delete request.headers['sec-websocket-protocol'];
  else request.headers['sec-websocket-protocol'] = upstream.protocol;
  return new Promise((resolve) => {
    if (client.destroyed) return resolve(undefined);
    client.once('close', () => resolve(undefined));
    server.handleUpgrade(request, client, early, resolve);
  });
}

interface Dial {
  readonly request: IncomingMessage;
  readonly destination: Destination;
  readonly addresses: Extract<Resolved, { ok: true }>['addresses'];
  readonly context: Context;
}

/** The value of `url` in `/ws?url=…`: encoded as it should be, or as it is where a client forgot to. */
function targetOf(url: string): Destination | undefined {
  const value = /^\/ws\?url=(.+)$/.exec(url)?.[1];
  if (value === undefined) return undefined;
  try {
    const isPlain = /^wss?:\/\//i.test(value);
    const destination = parseDestination(isPlain ? value : decodeURIComponent(value.split('&', 1)[0] ?? ''));
    return destination && asSent(destination);
  } catch {
    return undefined;
  }
}

/** With the path as the handshake has it, which is that of a WHATWG URL: what is judged must be what is sent. */
function asSent(destination: Destination): Destination {
  const { pathname, search } = new URL(`http://host.invalid${destination.target}`);
  return withTarget(destination, `${pathname}${search}`);
}

async function judge(
  context: Context,
  request: IncomingMessage,
  destination: Destination | undefined,
  connections: number,
): Promise<Resolved> {
  const fault = requestFramingFault(request);
  if (fault !== undefined) return refused('parser', fault, 400);
  if (destination === undefined) return refused('parser', 'invalid URL: must be ws or wss', 400);
  if (connections > context.config.websocket_proxy.max_concurrent_connections) {
    return refused('capacity', 'too many active WebSocket connections', 503);
  }
  const judged = await judgeDestination(destination, context);
  if (!judged.ok) return judged;
  const block = await context.dlp.headers(endToEnd(request.rawHeaders));
  return block === undefined ? judged : { ok: false, block };
}

function refused(scanner: string, reason: string, status: Block['status']): Resolved {
  return { ok: false, block: blocked(scanner, reason, status) };
}

/** The socket once it is open, or why it is not. */
function opened(upstream: WebSocket): Promise<WebSocket | { readonly reason: string }> {
  return new Promise((resolve) => {
    upstream.once('open', () => {
      // Nothing may be lost until the other side is there to take it.
      upstream.pause();
      resolve(upstream);
    });
    upstream.once('unexpected-response', (_request, response) => {
      resolve({ reason: `the origin answered ${response.statusCode}` });
      response.destroy();
    });
    upstream.on('error', (error) => {
      resolve({ reason: 'code' in error && typeof error.code === 'string' ? error.code : error.message });
    });
  });
}

interface Relay {
  readonly context: Context;
  readonly subject: Subject;
  readonly agent: WebSocket;
  readonly upstream: WebSocket;
}

/** Passes messages on, one at a time in each direction, until either side closes. */
function relay({ context, subject, agent, upstream }: Relay): Promise<void> {
  const { config, dlp, audit } = context;
  const limits = config.websocket_proxy;
  const totals = { text_messages: 0, binary_messages: 0, client_to_server_bytes: 0, server_to_client_bytes: 0 };
  let tail: Buffer = Buffer.alloc(0);

  async function out(data: Buffer, isBinary: boolean): Promise<void> {
    if (isBinary) totals.binary_messages += 1;
    else totals.text_messages += 1;
    totals.client_to_server_bytes += data.length;
    const block =
      isBinary && !limits.allow_binary_frames
        ? blocked('ws_protocol', 'binary frames not allowed')
        : await dlp.message(Buffer.concat([tail, data]));
    if (block !== undefined) return cutOff(block);
    tail = Buffer.from(Buffer.concat([tail, data]).subarray(-TAIL_BYTES));
    return sent(upstream, data, isBinary);
  }

  /** The reason of a close is text of the agent's like any other. */
  async function closeOut(code: number, reason: Buffer): Promise<void> {
    const block = await dlp.message(Buffer.concat([tail, reason]));
    if (block === undefined) closeOther(upstream, code, reason);
    else cutOff(block);
  }

  function cutOff(block: Block): void {
    audit.socketBlocked(subject, block);
    agent.close(POLICY_VIOLATION, block.reason.slice(0, 120));
    upstream.close(POLICY_VIOLATION, 'policy violation');
  }

  function back(data: Buffer, isBinary: boolean): Promise<void> {
    totals.server_to_client_bytes += data.length;
    return sent(agent, data, isBinary);
  }

  return new Promise((resolve) => {
    audit.socket(subject, 'ws_open');
    const life = setTimeout(() => endBoth(GOING_AWAY, 'connection timeout'), limits.max_connection_seconds * 1000);
    const idle_ms = limits.idle_timeout_seconds * 1000;
    let idle = setTimeout(() => endBoth(GOING_AWAY, 'idle timeout'), idle_ms);
    let isOver = false;

    function endBoth(code: number, reason: string): void {
      for (const side of [agent, upstream]) side.close(code, reason);
    }

    function noteLife(): void {
      clearTimeout(idle);
      if (!isOver) idle = setTimeout(() => endBoth(GOING_AWAY, 'idle timeout'), idle_ms);
    }

    function over(): void {
      if (isOver) return;
      isOver = true;
      clearTimeout(life);
      clearTimeout(idle);
      audit.socket(subject, 'ws_close', totals);
      resolve();
    }

    const afterOut = inOrder(agent, out, noteLife);
    const afterBack = inOrder(upstream, back, noteLife);
    agent.on('close', (code, reason) => afterOut(() => closeOut(code, reason)).then(over));
    upstream.on('close', (code, reason) => {
      if (agent.readyState === WebSocket.CLOSED) over();
      else void afterBack(async () => closeOther(agent, code, reason));
    });
    for (const side of [agent, upstream]) side.on('error', () => {});
    upstream.resume();
  });
}

/** RFC 6455, 7.4.1. */
const GOING_AWAY = 1001;
const NO_STATUS = 1005;
const ABNORMAL = 1006;
const POLICY_VIOLATION = 1008;

/** Does something when all messages that came have been taken. Never rejects. */
type Afterwards = (task: () => Promise<void>) => Promise<void>;

/** Takes messages one after the other, and none more from the wire while one is under way. */
function inOrder(
  from: WebSocket,
  take: (data: Buffer, isBinary: boolean) => Promise<void>,
  note: () => void,
): Afterwards {
  let last = Promise.resolve();
  let waiting = 0;
  from.on('message', (data: RawData, isBinary: boolean) => {
    note();
    waiting += 1;
    if (from.readyState === WebSocket.OPEN) from.pause();
    last = last
      .then(() => take(bytesOf(data), isBinary))
      .catch(() => from.terminate())
      .finally(() => {
        waiting -= 1;
        if (waiting === 0) from.resume();
      });
  });
  return (task) => {
    last = last.then(task).catch(() => from.terminate());
    return last;
  };
}

function sent(to: WebSocket, data: Buffer, binary: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (to.readyState !== WebSocket.OPEN) resolve();
    else to.send(data, { binary }, () => resolve());
  });
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** Ends the other side with the same code, where it is one that may be sent. */
function closeOther(other: WebSocket, code: number, reason: Buffer): void {
  if (other.readyState === WebSocket.CLOSED || other.readyState === WebSocket.CLOSING) return;
  if (code === ABNORMAL) other.terminate();
  else if (code === NO_STATUS) other.close();
  else other.close(code, reason);
}
