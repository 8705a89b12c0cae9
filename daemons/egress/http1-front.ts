import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { bodyLength, requestFramingFault } from '../http/framing.ts';
import { connectionOptions, endToEnd, firstValue } from '../http/headers.ts';
import { answerTextOn } from '../http/refusal.ts';
import { type Admission, admitDirect, admitTunnelled, type Tunnel } from './admission.ts';
import { answerWhole } from './agent-side.ts';
import { type Engine, plainText, refusalLine, reportAnswered } from './engine.ts';
import { exchange } from './forward.ts';
import type { Answered, Refused } from './verdict.ts';
import { handshakeFault, openWebSocket } from './websocket.ts';

/** A request to the proxy itself rather than through it. */
export interface OwnRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
}

/** What is known of a connection that speaks HTTP/1.1. */
interface Connection {
  /** Where it leads, inside a tunnel. */
  readonly tunnel: Tunnel | undefined;
  /** What ends each exchange that is under way on it. */
  readonly exchanges: Set<() => void>;
  /** Requests so far. */
  requests: number;
  /** It said something unsound: what follows may be part of that, and is not listened to. */
  isUnsound: boolean;
  /** It is a tunnel or a WebSocket now. */
  isTaken: boolean;
}

export interface Http1Front {
  readonly server: Server;
  /** Goes on with a tunnel in which HTTP/1.1 is spoken, be it over TLS. */
  serve(tunnel: Tunnel, socket: Duplex): void;
  /** Whether a connection rides in a tunnel. */
  isTunnelled(socket: Duplex): boolean;
  /** Whether it has no request under way, and is no tunnel and no WebSocket. */
  isIdle(socket: Duplex): boolean;
  /** Requests that did not parse. */
  readonly malformed: number;
}

/**
 * Speaks HTTP/1.x with the agent: on the port itself and inside tunnels. `own` answers requests to the proxy itself; `connect` takes
 * over a CONNECT that is sound, and tells whether there is a tunnel now.
 */
export function createHttp1Front(
  engine: Engine,
  own: (request: OwnRequest) => Answered | undefined,
  connect: (target: string, host: string | undefined, socket: Socket, head: Buffer) => boolean,
): Http1Front {
  const { limits } = engine;
  const connections = new WeakMap<Duplex, Connection>();
  let malformed = 0;

  const server = createServer({
    insecureHTTPParser: false,
    // Refused by our own rule, with a reason.
    requireHostHeader: false,
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headers_ms,
    // A body may take as long as it keeps coming: see uploadFloorBytes.
    requestTimeout: 0,
    keepAliveTimeout: limits.idle_ms,
    connectionsCheckingInterval: limits.sweep_ms,
    shouldUpgradeCallback: isWebSocket,
  });
  // Node would leave out what is over the count without a word; the count is checked, and the bytes are bounded.
  server.maxHeadersCount = 0;
  server.on('request', (request, response) => answer(request, response, false));
  server.on('checkContinue', (request, response) => answer(request, response, true));
  server.on('upgrade', upgrade);
  server.on('connect', (request, socket, head) => {
    const connection = connections.get(socket);
    if (connection === undefined || connection.isUnsound) return;
    if (connection.exchanges.size > 0) {
      socket.destroy();
      return;
    }
    const refusal = connectFault(request);
    const host = firstValue(request.rawHeaders, 'host');
    if (refusal !== undefined) refuseUnread(socket, refusal);
    else if (socket instanceof Socket) connection.isTaken = connect(request.url ?? '', host, socket, head);
    else socket.destroy();
  });
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    // Not what was said but that nothing more is: the peer is gone.
    if (error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    malformed += 1;
    refuseUnread(socket, parserRefusal(error.code ?? '', limits.headerBytes));
  });
  // Before the server's own listener, so that a connection is known when its first request comes.
  server.prependListener('connection', (socket) => {
    if (!connections.has(socket)) connections.set(socket, connectionTo(undefined));
    const exchanges = connections.get(socket)?.exchanges;
    socket.once('close', () => {
      for (const end of exchanges ?? []) end();
    });
  });

  return {
    server,
    serve(tunnel, socket) {
      connections.set(socket, connectionTo(tunnel));
      server.emit('connection', socket);
    },
    isTunnelled: (socket) => connections.get(socket)?.tunnel !== undefined,
    isIdle(socket) {
      const connection = connections.get(socket);
      return connection !== undefined && !connection.isTaken && connection.exchanges.size === 0;
    },
    get malformed() {
      return malformed;
    },
  };

  function answer(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const connection = connections.get(request.socket);
    const agent = { version: 1, input: request, output: response } as const;
    const method = request.method ?? '';
    if (connection === undefined || connection.exchanges.size >= limits.pipelined) {
      request.socket.destroy();
      return;
    }
    if (connection.isUnsound) return;
    connection.requests += 1;
    if (connection.requests >= limits.requestsPerConnection) response.shouldKeepAlive = false;
    const refuse = (refusal: Refused, question?: Admission['question']): void => {
      connection.isUnsound = true;
      response.shouldKeepAlive = false;
      answerWhole(agent, refusal.status, refusalLine(refusal), plainText, method, limits.linger_ms);
      if (question === undefined) engine.reportUnread({ refusal, authority: connection.tunnel?.authority });
      else reportAnswered(engine, question, refusal, performance.now());
    };
    const fault = headFault(request);
    if (fault !== undefined) {
      malformed += 1;
      refuse(fault);
      return;
    }
    if (connection.tunnel === undefined && request.url?.startsWith('/') === true) {
      const answered = own({ method, target: request.url });
      if (answered === undefined) refuse(notAProxyRequest);
      else answerWhole(agent, answered.status, answered.body, answered.contentType, method, limits.linger_ms);
      return;
    }
    const admission = admit(connection, request, 'request');
    if (admission.kind === 'refused') {
      refuse(admission.refusal, admission.question);
      return;
    }
    let end: (() => void) | undefined;
    let isOver = false;
    const asked = { agent, question: admission.question, length: bodyLength(request.rawHeaders), expectsContinue };
    end = exchange(engine, asked, () => {
      isOver = true;
      if (end !== undefined) connection.exchanges.delete(end);
    });
    if (end !== undefined && !isOver) connection.exchanges.add(end);
  }

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = connections.get(socket);
    if (connection?.isUnsound === true) return;
    const fault = headFault(request) ?? upgradeFault(request);
    if (fault !== undefined) {
      malformed += 1;
      refuseUnread(socket, fault);
      return;
    }
    if (connection === undefined || connection.exchanges.size > 0) {
      socket.destroy();
      return;
    }
    const admission = admit(connection, request, 'websocket');
    if (admission.kind === 'question') {
      connection.isTaken = true;
      openWebSocket(engine, admission.question, socket, head, () => {
        connection.isTaken = false;
      });
      return;
    }
    if (admission.question === undefined) {
      refuseUnread(socket, admission.refusal);
      return;
    }
    refuseOn(socket, admission.refusal);
    reportAnswered(engine, admission.question, admission.refusal, performance.now());
  }

  function admit({ tunnel }: Connection, request: IncomingMessage, kind: 'request' | 'websocket'): Admission {
    const { rawHeaders, method = '', url = '' } = request;
    const arrival = { method, target: url, host: firstValue(rawHeaders, 'host'), headers: endToEnd(rawHeaders), kind };
    if (tunnel === undefined) return admitDirect(arrival, limits.targetBytes);
    return admitTunnelled(tunnel, arrival, limits.targetBytes);
  }

  function headFault(request: IncomingMessage): Refused | undefined {
    if (request.rawHeaders.length / 2 > limits.headerCount) {
      return {
        kind: 'refused',
        status: 431,
        code: 'too-many-fields',
        reason: `more than ${limits.headerCount} header fields`,
      };
    }
    const reason = requestFramingFault(request);
    return reason === undefined ? undefined : { kind: 'refused', status: 400, code: 'bad-framing', reason };
  }

  function connectFault(request: IncomingMessage): Refused | undefined {
    if (connections.get(request.socket)?.tunnel !== undefined) {
      return { kind: 'refused', status: 400, code: 'bad-request', reason: 'CONNECT inside a tunnel' };
    }
    const fault = headFault(request);
    if (fault !== undefined || bodyLength(request.rawHeaders) === undefined) return fault;
    return { kind: 'refused', status: 400, code: 'bad-framing', reason: 'CONNECT with a body' };
  }

  function refuseUnread(socket: Duplex, refusal: Refused): void {
    refuseOn(socket, refusal);
    engine.reportUnread({ refusal, authority: connections.get(socket)?.tunnel?.authority });
  }

  function refuseOn(socket: Duplex, refusal: Refused): void {
    answerTextOn(socket, { status: refusal.status, text: refusalLine(refusal) }, limits.linger_ms);
  }
}

function connectionTo(tunnel: Tunnel | undefined): Connection {
  return { tunnel, exchanges: new Set(), requests: 0, isUnsound: false, isTaken: false };
}

const notAProxyRequest: Refused = {
  kind: 'refused',
  status: 400,
  code: 'not-a-proxy-request',
  reason: 'this is a proxy: send a whole http:// or https:// URI, or CONNECT host:port',
};

/** Any other protocol that an agent would like to switch to is no concern of ours: the request is answered as if it had not asked. */
function isWebSocket({ rawHeaders }: IncomingMessage): boolean {
  return (
    firstValue(rawHeaders, 'upgrade')?.toLowerCase() === 'websocket' && connectionOptions(rawHeaders).has('upgrade')
  );
}

function upgradeFault(request: IncomingMessage): Refused | undefined {
  const reason =
    bodyLength(request.rawHeaders) === undefined
      ? handshakeFault(request.method ?? '', request.rawHeaders)
      : 'a WebSocket handshake with a body';
  return reason === undefined ? undefined : { kind: 'refused', status: 400, code: 'bad-handshake', reason };
}

/** What Node's parser would not take, in words. */
function parserRefusal(code: string, headerBytes: number): Refused {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        kind: 'refused',
        status: 431,
        code: 'headers-too-large',
        reason: `the header section is larger than ${headerBytes} bytes`,
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { kind: 'refused', status: 408, code: 'request-timeout', reason: 'the request did not arrive in time' };
    default:
      return {
        kind: 'refused',
        status: 400,
        code: 'bad-framing',
        reason: `the request is not sound HTTP/1.1 (${code || 'unknown'})`,
      };
  }
}
