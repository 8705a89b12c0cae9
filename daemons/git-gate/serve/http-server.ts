import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { addressClass } from '../../authority/address-class.ts';
import { printable } from '../../text/printable.ts';
import type { Admitted } from '../gate.ts';
import { type Environment, gitEnvironment } from '../git/environment.ts';
import { endGroup, endOf } from '../git/process.ts';
import { mirrorsPath } from '../mirror/mirror.ts';
import { createByteLimit } from './byte-limit.ts';
import { readCgi } from './cgi.ts';
import { type GitChild, startGit } from './git-child.ts';
import { errorLine, FLUSH, pktLine } from './pkt-line.ts';
import { type HttpQuestion, parseHttpRequest, protocolOf } from './request.ts';
import {
  boundedPush,
  type Exchange,
  logRefused,
  logUnknown,
  makeReady,
  type Serving,
  serveProcess,
} from './serving.ts';

type Rpc = Extract<HttpQuestion, { kind: 'refs' | 'rpc' }>;

/** A request for refs is followed by others that belong to it: these need no newer mirror. */
const SESSION_FRESH_MS = 30_000;
/** What a fetch may say: what it has and what it wants. */
const MOST_FETCH_REQUEST = 32 * 1024 ** 2;
/** The list of refs is short, and git has it at hand. */
const LIST_MS = 60_000;
const MOST_CONNECTIONS = 512;
const ROOM_FOR_PROBES = 16;

/** git's smart HTTP for the repositories of the gate, by git's own http-backend. `isReady` false answers 503. */
export function createHttpServer(serving: Serving, isReady: () => boolean): Server {
  const server = createServer(
    { maxHeaderSize: 16_384, headersTimeout: 10_000, keepAliveTimeout: 5000 },
    (request, response) => {
      void answer(request, response, serving, isReady).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        serving.log('error', `a request failed: ${printable(reason)}`, {
          event: 'request-failed',
          reason: printable(reason),
        });
        response.destroy();
      });
    },
  );
  // Bounds the reading of one request; the daemon's own limits bound the rest.
  server.requestTimeout = serving.gate.config.limits.push_timeout;
  keepRoomForProbes(server);
  return server;
}

/**
 * However many connections agents hold, the probe of health, which comes from this machine, finds room for its own: else
 * a daemon that serves what it can would be taken for a dead one.
 */
function keepRoomForProbes(server: Server): void {
  server.maxConnections = MOST_CONNECTIONS + ROOM_FOR_PROBES;
  let agents = 0;
  server.on('connection', (socket: Socket) => {
    if (addressClass(socket.remoteAddress ?? '') === 'loopback') return;
    agents += 1;
    socket.once('close', () => {
      agents -= 1;
    });
    if (agents > MOST_CONNECTIONS) socket.destroy();
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  serving: Serving,
  isReady: () => boolean,
): Promise<void> {
  request.on('error', () => {});
  response.on('error', () => {});
  const question = parseHttpRequest(request.method ?? '', request.url ?? '', request.headers['content-type']);
  if (question.kind === 'health') return answerHealth(response, isReady(), serving);
  if (question.kind === 'refused') {
    const asked = `${request.method ?? ''} ${request.url ?? ''}`;
    logUnknown('http', request.socket.remoteAddress ?? '', asked, question.reason, serving.log);
    return refuse(response, question.status, question.reason);
  }
  if (!isReady()) return refuse(response, 503, 'the gate is starting; try again in a moment');
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'gzip' && encoding !== 'x-gzip')
    return refuse(response, 415, 'only gzip is a known encoding');
  await serve(question, request, response, serving);
}

async function serve(
  question: Rpc,
  request: IncomingMessage,
  response: ServerResponse,
  serving: Serving,
): Promise<void> {
  const { name, service } = question;
  const exchange: Exchange = {
    protocol: 'http',
    service,
    name,
    client: request.socket.remoteAddress ?? '',
    started: performance.now(),
  };
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const admission = await serving.gate.admit(name, gone.signal);
  if (!admission.ok) return refuseGit(question, response, admission.reason, exchange, serving);
  const { admitted } = admission;
  const { fetch_fresh } = admitted.config.limits;
  const fresh = question.kind === 'refs' ? fetch_fresh : Math.max(fetch_fresh, SESSION_FRESH_MS);
  const refreshed = await makeReady(service, admitted, fresh, serving);
  if (!refreshed.ok || gone.signal.aborted) {
    admitted.leave(false);
    if (!refreshed.ok) refuseGit(question, response, `${name}: ${refreshed.reason}`, exchange, serving);
    return;
  }
  const start = (env: Environment) => startBackend(question, request, response, admitted, serving, env);
  if (question.kind === 'rpc') {
    await serveProcess(exchange, admitted, serving, gone.signal, start);
    return;
  }
  const backend = start(gitEnvironment(serving.settings));
  const stop = () => endGroup(backend.process);
  const late = setTimeout(stop, LIST_MS);
  gone.signal.addEventListener('abort', stop);
  await endOf(backend.process);
  clearTimeout(late);
  admitted.leave(false);
}

/** Runs http-backend (git-http-backend(1)) on one request. Of the request only what was checked reaches it. */
function startBackend(
  { kind, name, service }: Rpc,
  request: IncomingMessage,
  response: ServerResponse,
  admitted: Admitted,
  serving: Serving,
  env: Environment,
): GitChild {
  const protocol = protocolOf(request.headers['git-protocol']?.toString());
  const backend = startGit(
    ['http-backend'],
    {
      ...env,
      GIT_PROJECT_ROOT: mirrorsPath(serving.settings),
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: `/${name}.git/${kind === 'refs' ? 'info/refs' : service}`,
      QUERY_STRING: kind === 'refs' ? `service=${service}` : '',
      REQUEST_METHOD: kind === 'refs' ? 'GET' : 'POST',
      CONTENT_TYPE: kind === 'refs' ? '' : `application/x-${service}-request`,
      REMOTE_ADDR: request.socket.remoteAddress ?? '',
      REMOTE_USER: 'agent',
      ...(protocol === undefined ? {} : { GIT_PROTOCOL: protocol }),
    },
    serving.settings.data,
  );
  if (kind === 'refs') backend.stdin.end();
  else {
    const isFetch = service === 'git-upload-pack';
    const bounded = isFetch ? createByteLimit(MOST_FETCH_REQUEST) : boundedPush(admitted, serving);
    const unpacked = request.headers['content-encoding'] === undefined ? [] : [createGunzip()];
    // git that has heard enough closes its end, which is no fault; a body that is too long or broken is cut.
    pipeline([request, ...unpacked, bounded, backend.stdin], () => {});
  }
  void readCgi(backend.stdout, response).catch(() => {
    if (!response.headersSent) refuse(response, 500, 'git did not answer');
    else response.destroy();
  });
  return backend;
}

/** Tells a git client so that it prints it. A push that is refused after its refs were listed gets a plain answer. */
function refuseGit(
  question: Rpc,
  response: ServerResponse,
  reason: string,
  exchange: Exchange,
  serving: Serving,
): void {
  logRefused(exchange, reason, serving.log);
  if (response.destroyed) return;
  const { kind, service } = question;
  if (kind === 'rpc' && service === 'git-receive-pack') {
    refuse(response, 503, reason);
    return;
  }
  const parts =
    kind === 'refs'
      ? [pktLine(`# service=${service}\n`), FLUSH, errorLine(printable(reason))]
      : [errorLine(printable(reason))];
  const body = Buffer.concat(parts);
  response.writeHead(200, {
    'content-type': `application/x-${service}-${kind === 'refs' ? 'advertisement' : 'result'}`,
    'cache-control': 'no-cache',
    'content-length': body.length,
    ...(kind === 'rpc' ? { connection: 'close' } : {}),
  });
  response.end(body);
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  const body = `git-gate: ${printable(reason)}\n`;
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(body);
}

function answerHealth(response: ServerResponse, ok: boolean, { gate }: Serving): void {
  const body = JSON.stringify({ status: ok ? 'ok' : 'starting', config_sha256: gate.config.digest });
  response.writeHead(ok ? 200 : 503, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': body.length,
  });
  response.end(body);
}
