import { Agent, type ClientRequest, request } from 'node:http';
import { type Authority, formatAuthority } from '../authority/authority.ts';
import { allValues, type RawHeaders, without } from '../http/headers.ts';

/** A request on its way out. */
export interface Departure {
  readonly scheme: 'http' | 'https';
  readonly authority: Authority;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** End-to-end headers and those of the framing, without Host. */
  readonly headers: RawHeaders;
}

/** The one way out. */
export interface Upstream {
  /** Who is behind it, as refusals and logs name it. */
  readonly name: string;
  /** Sends the head of a request; the body is written to what comes back, which is ended by the caller. */
  request(departure: Departure): ClientRequest;
  /** The same for a WebSocket handshake: `upgrade` is emitted where it is taken. `headers` hold what the handshake needs but Upgrade. */
  webSocket(departure: Departure): ClientRequest;
  /** Whether an answer is the upstream's own refusal rather than the origin's word, by its status and its first bytes. */
  refused(status: number, beginning: Buffer): boolean;
  /** Lets go of idle connections. */
  close(): void;
}

/** Connections to pipelock at once; more requests wait for one. Each is a goroutine and two file descriptors over there. */
const connections = 512;
/** Kept for the next request. */
const idleConnections = 128;
/** Shorter than pipelock's own idle time-out, so that it seldom closes a connection just as a request is sent on it. */
const idle_ms = 30_000;

/** Header section of an answer: as large as what an agent may send. */
const headerBytes = 64 * 1024;

/**
 * Whether the answer may be an event stream: the client asks for one, or, as the SDKs of language models do, asks for it in a body. Big
 * downloads are GETs that do not.
 */
function mayStream(method: string, headers: RawHeaders): boolean {
  if (method !== 'GET' && method !== 'HEAD') return true;
  return allValues(headers, 'accept').some((value) => value.toLowerCase().includes('text/event-stream'));
}

const acceptEncoding: ReadonlySet<string> = new Set(['accept-encoding']);

/** pipelock refuses an event stream that is compressed, since it cannot look into it. */
function uncompressed(headers: RawHeaders): RawHeaders {
  return [...without(headers, acceptEncoding), 'Accept-Encoding', 'identity'];
}

/** pipelock begins each refusal with this; on a WebSocket it names the protocol before. */
const refusal = /^(?:WebSocket )?blocked: /;

/**
 * The way out through pipelock at `url` (`http://127.0.0.1:8888`): requests as absolute URIs over plain HTTP, so that its DLP sees
 * what it is about to send; it opens TLS to the origin itself. A WebSocket goes to its endpoint `/ws?url=`, because its proxy for
 * requests cannot switch protocols. There is no other way: where pipelock does not answer, nothing leaves. Throws a `TypeError`
 * where `url` is not one of plain HTTP.
 */
export function throughPipelock(url: string): Upstream {
  const { protocol, hostname, port, host } = new URL(url);
  if (protocol !== 'http:') throw new TypeError(`the upstream proxy '${url}' is not an http:// URL`);
  const agent = new Agent({
    keepAlive: true,
    scheduling: 'lifo',
    maxSockets: connections,
    maxFreeSockets: idleConnections,
    timeout: idle_ms,
  });
  const place = {
    maxHeaderSize: headerBytes,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 80 : Number(port),
  };
  return {
    name: `pipelock at ${host}`,
    request({ scheme, authority, method, target, headers }) {
      const origin = formatAuthority(authority, scheme === 'https' ? 443 : 80);
      const path = `${scheme}://${origin}${target}`;
      const sent = mayStream(method, headers) ? uncompressed(headers) : headers;
      return request({ ...place, agent, method, path, headers: ['Host', origin, ...sent] });
    },
    webSocket({ scheme, authority, target, headers }) {
      const secure = scheme === 'https';
      const address = `${secure ? 'wss' : 'ws'}://${formatAuthority(authority, secure ? 443 : 80)}${target}`;
      const path = `/ws?url=${encodeURIComponent(address)}`;
      const handshake = ['Host', host, 'Connection', 'Upgrade', 'Upgrade', 'websocket', ...headers];
      return request({ ...place, agent: false, method: 'GET', path, headers: handshake });
    },
    refused: (status, beginning) =>
      (status === 403 || status === 429) && refusal.test(beginning.toString('latin1', 0, 32)),
    close: () => agent.destroy(),
  };
}
