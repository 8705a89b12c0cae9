import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { answerTextOn } from '../../http/refusal.ts';
import { MOST_LEVELS } from '../policy/json.ts';
import { CODE } from '../relay/protocol.ts';
import type { Endpoint } from '../relay/route.ts';
import { failure, type Malformed, type Message, readMessage } from '../relay/rpc.ts';
import { withTraceOf } from '../relay/trace.ts';
import type { Refused } from './admission.ts';
import { readBody } from './body.ts';
import type { HttpSse } from './http-sse.ts';
import { type Arrival, answer, type Front, methodNotAllowed, serveDelete, serveGet, servePost } from './streamable.ts';
import { limitUnread } from './unread.ts';

export interface BridgeServerOptions {
  readonly front: Front;
  readonly httpSse: HttpSse;
  readonly admit: (request: IncomingMessage) => Refused | undefined;
  /** The endpoint of a tool, or of all together (undefined). */
  readonly endpointOf: (tool: string | undefined) => Endpoint | undefined;
  /** In bytes, for a tool or for all together. */
  readonly bodyLimit: (tool: string | undefined) => number;
  readonly health: () => { readonly isHealthy: boolean; readonly body: string };
  /** Serves what is none of ours; false: it is not its either. */
  readonly other: (request: IncomingMessage, response: ServerResponse, path: string) => boolean;
  /** The body of a refusal where callers of this path understand another one than JSON-RPC's; undefined where they do not. */
  readonly refusalAt: (path: string, message: string) => string | undefined;
  /** `path` is a label of few values; `asked` is method and path as they came. */
  readonly onRequest: (path: string, status: number, asked: string) => void;
}

const AGENT = /^[\w.:@-]{1,64}$/;
const PATH = /^\/(mcp|sse)(?:\/([a-z0-9-]{1,40}))?\/?$/;

/** Never empty: the Docker MCP gateway takes an empty answer for a yes. */
const UNREADABLE = 'mcp-bridge: this is not HTTP, or it came too slowly\n';

/** What may wait for clients that do not read, in bytes, and for how long, in milliseconds. */
const MOST_UNREAD = 256 * 1024 * 1024;
const UNREAD_MS = 60_000;

/** The bridge's one port. It does not listen yet. */
export function createBridgeServer(options: BridgeServerOptions): Server {
  const { front, httpSse } = options;
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 65_000 },
    (request, response) => {
      void serve(request, response).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        answer(response, 500, undefined, failure(CODE.internal, `Internal error: ${reason}`));
      });
    },
  );
  limitUnread(server, { most: MOST_UNREAD, patience: UNREAD_MS });
  server.on('clientError', (_error, socket) => {
    answerTextOn(socket, { status: 400, text: UNREADABLE });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0] ?? '/';
    const asked = `${request.method ?? ''} ${path}`;
    response.once('finish', () => options.onRequest(labelOf(path), response.statusCode, asked));
    if (path === '/health' && (request.method === 'GET' || request.method === 'HEAD')) {
      const { isHealthy, body } = options.health();
      response.writeHead(isHealthy ? 200 : 503, { 'content-type': 'application/json' }).end(body);
      return;
    }
    const refused = options.admit(request);
    if (refused !== undefined) {
      if (refused.status === 401) response.setHeader('www-authenticate', 'Bearer');
      refuse(response, path, refused.status, refused.message);
      return;
    }
    const agent = agentOf(request);
    if (agent === undefined) {
      refuse(response, path, 400, 'X-Agent-ID is no name: letters, digits and "._:@-", at most 64');
      return;
    }
    if (path === '/message') {
      await serveMessage({ request, response, path, agent });
      return;
    }
    const [, front_, tool] = PATH.exec(path) ?? [];
    if (front_ === undefined) {
      if (!options.other(request, response, path))
        answer(
          response,
          404,
          undefined,
          failure(CODE.invalidRequest, 'Not found; MCP is served at /mcp and /mcp/<tool>'),
        );
      return;
    }
    const endpoint = options.endpointOf(tool);
    if (endpoint === undefined) {
      answer(
        response,
        404,
        undefined,
        failure(CODE.invalidRequest, `Not found: no tool of the name ${JSON.stringify(tool)} is configured`),
      );
      return;
    }
    const arrival: Arrival = { request, response, endpoint, path: path.replace(/\/$/, ''), agent };
    await (front_ === 'sse' ? serveSse(arrival) : serveMcp(arrival, tool));
  }

  function refuse(response: ServerResponse, path: string, status: number, message: string): void {
    const text = options.refusalAt(path, message);
    if (text === undefined) answer(response, status, undefined, failure(CODE.invalidRequest, message));
    else response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  }

  async function serveMcp(arrival: Arrival, tool: string | undefined): Promise<void> {
    switch (arrival.request.method) {
      case 'POST': {
        const message = await messageOf(arrival.request, arrival.response, tool);
        if (message !== undefined) await servePost(front, arrival, message);
        return;
      }
      case 'GET':
        return serveGet(front, arrival);
      case 'DELETE':
        return serveDelete(front, arrival);
      default:
        methodNotAllowed(arrival.response);
    }
  }

  async function serveSse(arrival: Arrival): Promise<void> {
    if (arrival.request.method === 'GET') httpSse.open(arrival);
    else methodNotAllowed(arrival.response);
  }

  async function serveMessage(arrival: Omit<Arrival, 'endpoint'>): Promise<void> {
    if (arrival.request.method !== 'POST') {
      methodNotAllowed(arrival.response);
      return;
    }
    const message = await messageOf(arrival.request, arrival.response, undefined);
    if (message !== undefined) await httpSse.post(arrival, message);
  }

  /** Undefined where the request has been answered. */
  async function messageOf(
    request: IncomingMessage,
    response: ServerResponse,
    tool: string | undefined,
  ): Promise<Message | Malformed | undefined> {
    if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
      answer(
        response,
        415,
        undefined,
        failure(CODE.invalidRequest, 'Invalid request: the Content-Type is not application/json'),
      );
      return undefined;
    }
    const limit = options.bodyLimit(tool);
    const body = await readBody(request, limit);
    switch (body.kind) {
      case 'text':
        return traced(readMessage(body.text), request);
      case 'too-large':
        response.setHeader('connection', 'close');
        answer(
          response,
          413,
          undefined,
          failure(CODE.invalidRequest, `Invalid request: the message is larger than ${limit} bytes`),
        );
        return undefined;
      case 'too-deep': {
        const message = `Invalid request: it is nested more than ${MOST_LEVELS} levels deep`;
        answer(response, 400, undefined, failure(CODE.invalidRequest, message));
        return undefined;
      }
      case 'not-utf8':
        answer(response, 400, undefined, failure(CODE.parse, 'Parse error: the body is not UTF-8'));
        return undefined;
      case 'aborted':
        return undefined;
    }
  }

  return server;
}

function traced(message: Message | Malformed, { headers }: IncomingMessage): Message | Malformed {
  if (message.kind !== 'request') return message;
  const params = withTraceOf(headers, message.params);
  return params === message.params ? message : { ...message, params };
}

function agentOf({ headers }: IncomingMessage): string | undefined {
  const named = headers['x-agent-id'];
  if (named === undefined) return 'default';
  return typeof named === 'string' && AGENT.test(named) ? named : undefined;
}

/** Paths come from clients; metrics want few. */
function labelOf(path: string): string {
  const known = /^\/(mcp|sse|message|health|before|after|intercept)(?=\/|$)/.exec(path)?.[1];
  return known === undefined ? 'other' : `/${known}`;
}
