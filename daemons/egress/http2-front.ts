import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { bodyFault, bodyLength } from '../http/framing.ts';
import { endToEnd, type RawHeaders } from '../http/headers.ts';
import { admitTunnelled, type Tunnel } from './admission.ts';
import { type AgentSide, answerWhole } from './agent-side.ts';
import { type Engine, plainText, refusalLine, reportAnswered } from './engine.ts';
import { exchange } from './forward.ts';
import type { Refused } from './verdict.ts';

/** Received and not yet read, for each stream: what a slow upstream makes us keep. */
const streamWindow = 256 * 1024;
/** The same for all streams of a connection. */
const connectionWindow = 2 * 1024 * 1024;

interface Pseudo {
  method: string;
  path: string;
  scheme: string;
  authority: string | undefined;
  /** Host, where it comes beside `:authority`. */
  host: string | undefined;
  protocol: string | undefined;
}

/** Speaks HTTP/2 (RFC 9113) with the agent in a tunnel whose TLS handshake is done. */
export function serveHttp2(engine: Engine, tunnel: Tunnel, socket: TLSSocket): ServerHttp2Session {
  const { limits } = engine;
  const session = performServerHandshake(socket, {
    maxHeaderListPairs: limits.headerCount,
    maxSettings: 32,
    maxOutstandingPings: 10,
    maxSessionMemory: 16,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetBurst: limits.streamResetBurst,
    streamResetRate: limits.streamResetRate,
    strictSingleValueFields: false,
    settings: {
      maxConcurrentStreams: limits.streams,
      maxHeaderListSize: limits.headerBytes,
      initialWindowSize: streamWindow,
      enableConnectProtocol: false,
    },
  });
  let requests = 0;
  session.once('connect', () => session.setLocalWindowSize(connectionWindow));
  session.setTimeout(limits.idle_ms, () => {
    if (openStreams === 0) session.close();
  });
  session.on('error', (error: Error & { code?: string }) => {
    session.destroy();
    // What was said, not that the peer is gone.
    if (error.code === 'ERR_HTTP2_ERROR') engine.reportUnread({ refusal: unsound, authority: tunnel.authority });
  });
  session.on('sessionError', () => session.destroy());
  session.on('frameError', () => session.destroy());
  let openStreams = 0;
  session.on('stream', (stream: ServerHttp2Stream, _headers, _flags, rawHeaders: string[]) => {
    requests += 1;
    openStreams += 1;
    stream.on('error', () => stream.close(constants.NGHTTP2_CANCEL));
    stream.once('close', () => {
      openStreams -= 1;
    });
    if (requests >= limits.requestsPerConnection && !session.closed) session.close();
    answer(engine, tunnel, stream, rawHeaders);
  });
  return session;
}

function answer(engine: Engine, tunnel: Tunnel, stream: ServerHttp2Stream, rawHeaders: RawHeaders): void {
  const { pseudo, fields } = readHeaders(rawHeaders);
  const trailers: string[] = [];
  const agent: AgentSide = { version: 2, input: stream, output: stream, trailers, answerTrailers: [] };
  stream.once('trailers', (_headers, _flags, rawTrailers?: readonly string[]) => trailers.push(...(rawTrailers ?? [])));
  const { method, path, authority, host } = pseudo;
  const admission = admitTunnelled(
    tunnel,
    { method, target: path, host: authority ?? host, headers: endToEnd(fields), kind: 'request' },
    engine.limits.targetBytes,
  );
  const refusal = fault(pseudo, tunnel, fields) ?? (admission.kind === 'refused' ? admission.refusal : undefined);
  if (refusal !== undefined || admission.kind === 'refused') {
    const told = refusal ?? unreadable;
    answerWhole(agent, told.status, refusalLine(told), plainText, method, engine.limits.linger_ms);
    if (admission.question === undefined) engine.reportUnread({ refusal: told, authority: tunnel.authority });
    else reportAnswered(engine, admission.question, told, performance.now());
    return;
  }
  const length = bodyLength(fields) ?? (stream.endAfterHeaders ? undefined : 'chunked');
  const expectsContinue = !stream.endAfterHeaders && fields.some((field, i) => i % 2 === 0 && field === 'expect');
  exchange(engine, { agent, question: admission.question, length, expectsContinue }, nothing);
}

function nothing(): void {}

const unsound: Refused = {
  kind: 'refused',
  status: 400,
  code: 'bad-framing',
  reason: 'what came on the connection is not sound HTTP/2',
};

const unreadable: Refused = { kind: 'refused', status: 400, code: 'bad-request', reason: 'the request cannot be read' };

function fault(pseudo: Pseudo, tunnel: Tunnel, fields: RawHeaders): Refused | undefined {
  if (pseudo.method === 'CONNECT' || pseudo.protocol !== undefined) {
    const reason = 'CONNECT inside a connection is not offered; open a WebSocket over HTTP/1.1';
    return { kind: 'refused', status: 501, code: 'no-extended-connect', reason };
  }
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}$/.test(pseudo.method)) return bad('the method is not a token');
  if (pseudo.scheme !== tunnel.scheme) return bad('the scheme is not that of the connection');
  if (pseudo.authority !== undefined && pseudo.host !== undefined && pseudo.authority !== pseudo.host) {
    return bad('Host is not what :authority says');
  }
  const framing = bodyFault({ httpVersion: '1.1', rawHeaders: fields });
  return framing === undefined ? undefined : bad(framing);
}

function bad(reason: string): Refused {
  return { kind: 'refused', status: 400, code: 'bad-request', reason };
}

/** Pseudo-header fields apart, cookie crumbs joined as HTTP/1.1 wants them (RFC 9113 8.2.3). */
function readHeaders(rawHeaders: RawHeaders): { pseudo: Pseudo; fields: string[] } {
  const pseudo: Pseudo = {
    method: '',
    path: '',
    scheme: '',
    authority: undefined,
    host: undefined,
    protocol: undefined,
  };
  const fields: string[] = [];
  let cookies: string[] | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const value = rawHeaders[i + 1] ?? '';
    if (name === ':method') pseudo.method = value;
    else if (name === ':path') pseudo.path = value;
    else if (name === ':scheme') pseudo.scheme = value;
    else if (name === ':authority') pseudo.authority = value;
    else if (name === ':protocol') pseudo.protocol = value;
    else if (name === 'host') pseudo.host = value;
    else if (name !== 'cookie') fields.push(name, value);
    else if (cookies === undefined) cookies = [value];
    else cookies.push(value);
  }
  if (cookies !== undefined) fields.push('cookie', cookies.join('; '));
  return { pseudo, fields };
}
