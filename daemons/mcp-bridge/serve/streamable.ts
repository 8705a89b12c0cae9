import type { IncomingMessage, ServerResponse } from 'node:http';
import { CODE, LEGACY } from '../relay/protocol.ts';
import type { Endpoint } from '../relay/route.ts';
import {
  failure,
  type Id,
  type Malformed,
  type Message,
  type Outcome,
  type Request,
  responseLine,
} from '../relay/rpc.ts';
import type { EventMemory } from './event-log.ts';
import { faultOf, isModern, serveModern, statusOf } from './modern.ts';
import { createReply, type Reply } from './reply.ts';
import { openSession } from './session.ts';
import type { Sessions } from './sessions.ts';

/** What every front of the bridge works with. */
export interface Front {
  readonly sessions: Sessions;
  readonly clock: () => number;
  readonly memory: EventMemory;
  /** Called with each request that was answered. Milliseconds. */
  readonly onAnswered: (method: string, outcome: Outcome, duration: number) => void;
  /** Called when a client took a stream up again. */
  readonly onReconnected: () => void;
}

/** One HTTP request to an MCP endpoint, let in and routed. */
export interface Arrival {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly endpoint: Endpoint;
  /** Where the endpoint is. */
  readonly path: string;
  readonly agent: string;
}

/** Serves the POST of Streamable HTTP, in the era that the message is of. */
export async function servePost(front: Front, arrival: Arrival, message: Message | Malformed): Promise<void> {
  const { request, response } = arrival;
  if (message.kind === 'malformed') {
    answer(response, 400, message.id, { error: message.error });
    return;
  }
  const version = request.headers['mcp-protocol-version'];
  const sessionId = request.headers['mcp-session-id'];
  if (message.kind === 'request' && isModern(message.params, version, LEGACY)) {
    await postModern(front, arrival, message);
    return;
  }
  if (typeof sessionId === 'string') {
    await postToSession(front, arrival, message, sessionId);
    return;
  }
  if (message.kind === 'request' && message.method === 'initialize') {
    await postInitialize(front, arrival, message);
    return;
  }
  if (message.kind === 'notification' && typeof version === 'string' && !isLegacy(version)) {
    response.writeHead(202).end();
    return;
  }
  const id = message.kind === 'notification' ? undefined : message.id;
  const hint = 'begin with initialize and send Mcp-Session-Id, or say in _meta that this is MCP 2026-07-28';
  answer(response, 400, id, failure(CODE.invalidRequest, `Invalid request: it belongs to no session; ${hint}`));
}

async function postModern(
  front: Front,
  { request, response, endpoint, agent }: Arrival,
  message: Request,
): Promise<void> {
  const fault = faultOf(message, request.headers);
  if (fault !== undefined) {
    answer(response, statusOf(fault) === 200 ? 400 : statusOf(fault), message.id, fault);
    return;
  }
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const started = front.clock();
  const reply = createReply(response);
  const outcome = await serveModern(endpoint, message, { agent, session: '' }, reply, gone.signal, request.headers);
  front.onAnswered(message.method, outcome, front.clock() - started);
}

async function postToSession(
  front: Front,
  { request, response, path, agent }: Arrival,
  message: Message,
  sessionId: string,
): Promise<void> {
  const session = front.sessions.find(sessionId, path, agent);
  if (session === undefined) {
    const id = message.kind === 'notification' ? undefined : message.id;
    answer(response, 404, id, failure(CODE.invalidRequest, 'Session not found: begin again with initialize'));
    return;
  }
  const version = request.headers['mcp-protocol-version'];
  if (typeof version === 'string' && !isLegacy(version)) {
    const id = message.kind === 'notification' ? undefined : message.id;
    answer(
      response,
      400,
      id,
      failure(CODE.invalidRequest, `Invalid request: a session of MCP ${version} is not known`),
    );
    return;
  }
  if (message.kind !== 'request') {
    session.take(message);
    response.writeHead(202).end();
    return;
  }
  const started = front.clock();
  const outcome = await session.serve(message, createReply(response, { 'mcp-session-id': session.id }));
  front.onAnswered(message.method, outcome, front.clock() - started);
}

async function postInitialize(
  front: Front,
  { response, endpoint, path, agent }: Arrival,
  message: Request,
): Promise<void> {
  const { clock, memory } = front;
  const started = clock();
  const opened = await openSession({
    endpoint,
    path,
    agent,
    opening: message.params,
    hasOneStream: false,
    clock,
    memory,
  });
  if (!opened.ok) {
    answer(response, 200, message.id, opened.error);
    front.onAnswered('initialize', opened.error, clock() - started);
    return;
  }
  const { session } = opened;
  if (response.destroyed || !front.sessions.add(session)) {
    session.close();
    answer(response, 503, message.id, failure(CODE.internal, 'As many sessions are open as may be; try again later'));
    return;
  }
  const outcome: Outcome = { result: opened.opened };
  const reply: Reply = createReply(response, { 'mcp-session-id': session.id });
  reply.end(200, responseLine(message.id, outcome));
  front.onAnswered('initialize', outcome, clock() - started);
}

/** Serves the GET of Streamable HTTP: the stream of a session. 2026-07-28 has none. */
export function serveGet(front: Front, { request, response, path, agent }: Arrival): void {
  const sessionId = request.headers['mcp-session-id'];
  if (typeof sessionId !== 'string') {
    methodNotAllowed(response);
    return;
  }
  const session = front.sessions.find(sessionId, path, agent);
  const lastEventId = request.headers['last-event-id'];
  const reply = createReply(response, { 'mcp-session-id': sessionId });
  if (session === undefined)
    answer(response, 404, undefined, failure(CODE.invalidRequest, 'Session not found: begin again with initialize'));
  else if (!session.listen(reply, typeof lastEventId === 'string' ? lastEventId : undefined))
    answer(response, 400, undefined, failure(CODE.invalidRequest, 'This Last-Event-ID is not known any more'));
  else if (lastEventId !== undefined) front.onReconnected();
}

/** Serves the DELETE of Streamable HTTP: the end of a session. */
export function serveDelete(front: Front, { request, response, path, agent }: Arrival): void {
  const sessionId = request.headers['mcp-session-id'];
  if (typeof sessionId !== 'string') {
    methodNotAllowed(response);
    return;
  }
  const session = front.sessions.find(sessionId, path, agent);
  if (session === undefined) {
    answer(response, 404, undefined, failure(CODE.invalidRequest, 'Session not found'));
    return;
  }
  front.sessions.remove(session);
  response.writeHead(204).end();
}

/** Answers with one JSON-RPC error; `id` is undefined where none could be read. */
export function answer(response: ServerResponse, status: number, id: Id | undefined, outcome: Outcome): void {
  if (response.headersSent || response.destroyed) return;
  const body = responseLine(id, outcome);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

export function methodNotAllowed(response: ServerResponse): void {
  response.setHeader('allow', 'POST');
  answer(response, 405, undefined, failure(CODE.invalidRequest, 'Method not allowed: POST a message'));
}

function isLegacy(version: string): boolean {
  const legacy: readonly string[] = LEGACY;
  return legacy.includes(version);
}
