import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Admission, Listener } from './admission.ts';
import { readBody } from './body.ts';
import { type AllowList, browserFault, crossOriginHeaders, preflightHeaders } from './browser.ts';
import type { Init } from './init.ts';
import type { Limits } from './limits.ts';
import { limitEachAddress } from './neighbours.ts';
import { createOutbox } from './outbox.ts';
import { problem } from './problem.ts';
import type { Route, Stream, Whole } from './route.ts';
import { ROUTES } from './routes.ts';

/** One listener's HTTP server. */
export interface ControlServer {
  readonly http: Server;
  /** Ends its connections and streams. Never rejects. */
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly init: Init;
  readonly onProblem: (text: string) => void;
  readonly limits: Limits;
  readonly over: Listener;
  readonly admit: Admission;
  /** Of the TCP listener. */
  readonly allowed: AllowList;
}

/** An HTTP server over the route table. It does not listen yet. */
export function createServer({ init, onProblem, limits, over, admit, allowed }: ServerOptions): ControlServer {
  let streams = 0;
  const http = createHttpServer({
    requestTimeout: limits.request,
    headersTimeout: limits.request,
    // Also the pace at which an idle init wakes up for this; a slow request may thus take twice its time.
    connectionsCheckingInterval: limits.request,
    maxHeaderSize: 16_384,
  });
  http.maxConnections = limits.connections;
  if (over === 'tcp') limitEachAddress(http, limits.connectionsOfOne);
  http.on('request', (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!request.destroyed || request.complete)
        onProblem(`control API: ${request.method} ${request.url}: ${reason(error)}`);
      if (response.headersSent) response.destroy();
      else send(response, problem('fault', 'an internal fault; see the log of the init'));
    });
  });

  return {
    http,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = refusal(request);
    if (fault !== undefined) return send(response, fault);
    const { origin } = request.headers;
    if (origin !== undefined) {
      if (request.method === 'OPTIONS') {
        return send(response, { status: 204, type: 'text/plain', body: '', headers: preflightHeaders(origin) });
      }
      for (const [name, value] of Object.entries(crossOriginHeaders(origin))) response.setHeader(name, value);
    }
    const url = URL.parse(request.url ?? '', 'http://localhost');
    const path = url === null ? undefined : decode(url.pathname);
    if (url === null || path === undefined)
      return send(response, problem('bad-request', 'the request target is no path'));

    const matches = ROUTES.flatMap((route) => {
      const parameters = match(route.path, path);
      return parameters === undefined ? [] : [{ route, parameters }];
    });
    const first = matches[0];
    if (first === undefined) {
      return send(
        response,
        problem('unknown-path', `there is nothing at ${path.slice(0, 200)}; GET /v1/openapi.json lists the paths`),
      );
    }
    const verdict = admit(
      request,
      matches.map(({ route }) => route.access),
    );
    // Not awaited without need: what follows a refused request on its connection must not overtake the refusal.
    const admitted = verdict instanceof Promise ? await verdict : verdict;
    if ('status' in admitted) return send(response, admitted);
    const found = matches.find(
      ({ route }) => route.method === request.method || (route.method === 'GET' && request.method === 'HEAD'),
    );
    if (found === undefined)
      return send(
        response,
        wrongMethod(
          matches.map(({ route }) => route),
          request.method,
        ),
      );

    const body = await readBody(request, limits.body);
    if (body === undefined) {
      return send(
        response,
        problem('body-too-large', `a body has at most ${limits.body} bytes`, {}, { connection: 'close' }),
      );
    }
    const left = new AbortController();
    response.on('close', () => left.abort());
    const reply = await found.route.handle({
      init,
      ...admitted,
      left: left.signal,
      header: (name) => {
        const value = request.headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      parameters: found.parameters,
      query: url.searchParams,
      body,
    });
    if (!('backlog' in reply)) return send(response, reply);
    if (request.method === 'HEAD') return send(response, { status: 200, type: reply.type, body: '' });
    if (streams < limits.streams) return stream(response, reply);
    send(response, problem('too-many-streams', `there are ${streams} streams already; close one and try again`));
  }

  function refusal(request: IncomingMessage): Whole | undefined {
    const { host, origin } = request.headers;
    const fault =
      over === 'tcp'
        ? browserFault({ host, origin }, allowed)
        : browserFault({ host: 'localhost', origin }, { hosts: [], origins: [] });
    return fault === undefined ? undefined : problem('not-for-browsers', fault, {}, { connection: 'close' });
  }

  function send(response: ServerResponse, reply: Whole): void {
    if (response.destroyed) return;
    setHeaders(response, reply.type);
    for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
    response.statusCode = reply.status;
    response.end(reply.body);
    const patience = setTimeout(() => response.destroy(), limits.answer).unref();
    response.on('close', () => clearTimeout(patience));
  }

  function stream(response: ServerResponse, { type, backlog, follow, heartbeat }: Stream): void {
    if (response.destroyed) return;
    streams += 1;
    setHeaders(response, type);
    response.flushHeaders();
    const bounds = { bytes: limits.backlog, stall: limits.stall };
    const outbox = createOutbox(response, backlog(), follow !== undefined, bounds);
    const unfollow = follow?.(outbox);
    const beat =
      follow === undefined || heartbeat === undefined
        ? undefined
        : setInterval(() => outbox.send(heartbeat), limits.heartbeat).unref();
    response.on('close', () => {
      streams -= 1;
      unfollow?.();
      clearInterval(beat);
    });
  }
}

function setHeaders(response: ServerResponse, type: string): void {
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-type', type);
}

/** The values of the path's parameters; `undefined` where the path is another. */
function match(pattern: string, path: string): Readonly<Record<string, string>> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith('{')) parameters[part.slice(1, -1)] = value;
    else if (part !== value) return undefined;
  }
  return parameters;
}

function wrongMethod(routes: readonly Route[], method: string | undefined): Whole {
  const allow = [...new Set(routes.flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : ['POST'])))].join(
    ', ',
  );
  return problem('method-not-allowed', `${method} is not possible here; use ${allow}`, {}, { allow });
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
