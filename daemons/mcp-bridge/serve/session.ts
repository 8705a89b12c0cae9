import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../policy/json.ts';
import { CODE, NEWEST_LEGACY } from '../relay/protocol.ts';
import type { Caller, Client, Endpoint, Route, Upstream } from '../relay/route.ts';
import {
  failure,
  type Id,
  isId,
  type Notification,
  notificationLine,
  type Outcome,
  type Request,
  type Response,
  requestLine,
  responseLine,
} from '../relay/rpc.ts';
import { createEventLog, type EventMemory } from './event-log.ts';
import type { Reply } from './reply.ts';

/** A client of the legacy era: what it was told, what runs for it, and what it was asked. */
export interface Session {
  readonly id: string;
  readonly caller: Caller;
  /** The path at which it was opened; it is known at no other. */
  readonly path: string;
  readonly startedAt: number;
  /** Serves a request; resolves when it is answered. */
  serve(request: Request, reply: Reply): Promise<Outcome>;
  /** A notification or an answer of the client. */
  take(message: Notification | Response): void;
  /** Opens the stream for what belongs to no request, or takes up the stream of `lastEventId`. False: that event is not known. */
  listen(reply: Reply, lastEventId: string | undefined): boolean;
  /** Sends a text on the stream for what belongs to no request. */
  say(data: string): void;
  /** Whether nobody would notice if it ended: nothing runs, nobody listens. */
  isIdle(): boolean;
  lastUse(): number;
  evicted(): number;
  close(): void;
}

export interface SessionOptions {
  readonly endpoint: Endpoint;
  readonly path: string;
  readonly agent: string;
  readonly opening: JsonObject;
  /** All goes over one stream, as in HTTP+SSE of 2024-11-05. */
  readonly hasOneStream: boolean;
  readonly clock: () => number;
  /** What is kept for clients that resume, of all sessions. */
  readonly memory: EventMemory;
  readonly onClose?: () => void;
}

export type OpenedSession =
  | { readonly ok: true; readonly session: Session; readonly opened: JsonObject }
  | { readonly ok: false; readonly error: Extract<Outcome, { error: unknown }> };

/** What belongs to no request goes here. */
const COMMON = 'get';
/** What is kept for a client that does not listen. */
const MOST_UNHEARD = 100;
/** Characters. */
const LONGEST_UNHEARD = 10_000;
const MOST_RUNNING = 1000;
/** The first event tells a client that resumes how long to wait. Milliseconds. */
const RETRY_MS = 1000;

interface Running {
  readonly abort: AbortController;
  readonly stream: Stream;
}

/** One of a session's streams; events that find no reply wait in the log for a client that resumes. */
interface Stream {
  readonly name: string;
  reply: Reply | undefined;
}

/** Opens a session at an endpoint. Never rejects. */
export async function openSession(options: SessionOptions): Promise<OpenedSession> {
  const { clock, opening } = options;
  const id = randomBytes(16).toString('hex');
  const caller: Caller = { agent: options.agent, session: id };
  const log = createEventLog(id, options.memory);
  const running = new Map<Id, Running>();
  const asked = new Map<number, (outcome: Outcome) => void>();
  const streams = new Map<Route, Stream>();
  const common: Stream = { name: COMMON, reply: undefined };
  const startedAt = clock();
  let lastUse = startedAt;
  let lastAsked = 0;
  let lastStream = 0;
  let unheard: string[] = [];
  let isClosed = false;
  let isResumable = false;

  const client: Client = {
    caller,
    opening,
    notify: ({ method, params }) => send(common, notificationLine(method, params)),
    ask,
  };
  const upstream: Upstream | Extract<Outcome, { error: unknown }> = await options.endpoint.open(client);
  if ('error' in upstream) return { ok: false, error: upstream };
  // Clients of before stumble over an event without data (2025-11-25, SEP-1699).
  isResumable = String(upstream.opened.protocolVersion) >= NEWEST_LEGACY;
  const { call, tell, close: closeUpstream } = upstream;

  function send(stream: Stream, data: string): void {
    if (stream.name === COMMON && (stream.reply === undefined || stream.reply.isOver())) {
      if (unheard.length < MOST_UNHEARD && data.length <= LONGEST_UNHEARD) unheard.push(data);
      return;
    }
    const event = log.append(stream.name, data);
    prime(stream);
    stream.reply?.event(data, { id: event.id });
  }

  function prime({ name, reply }: Stream): void {
    if (reply === undefined || reply.isStream() || !isResumable || options.hasOneStream) return;
    reply.event('', { id: log.append(name, '').id, retry: RETRY_MS });
  }

  function ask({ method, params }: Pick<Request, 'method' | 'params'>, about: Route | undefined): Promise<Outcome> {
    if (asked.size >= MOST_RUNNING || isClosed)
      return Promise.resolve(failure(CODE.internal, 'The client cannot be asked any more'));
    lastAsked += 1;
    const number = lastAsked;
    return new Promise((resolve) => {
      const leave = (): void => answer(number, failure(CODE.internal, 'The request was cancelled'));
      asked.set(number, (outcome) => {
        about?.signal.removeEventListener('abort', leave);
        resolve(outcome);
      });
      about?.signal.addEventListener('abort', leave, { once: true });
      send((about && streams.get(about)) ?? common, requestLine(number, method, params));
    });
  }

  function answer(number: number, outcome: Outcome): void {
    const resolve = asked.get(number);
    asked.delete(number);
    resolve?.(outcome);
  }

  async function serve(request: Request, reply: Reply): Promise<Outcome> {
    lastUse = clock();
    if (running.has(request.id) || running.size >= MOST_RUNNING) {
      const refused = failure(CODE.invalidRequest, 'Invalid request: this id is in use, or too many requests run');
      reply.end(400, responseLine(request.id, refused));
      return refused;
    }
    lastStream += 1;
    const stream: Stream = options.hasOneStream ? common : { name: String(lastStream), reply };
    const one: Running = { abort: new AbortController(), stream };
    running.set(request.id, one);
    const route: Route = {
      caller,
      id: request.id,
      method: request.method,
      params: request.params,
      signal: one.abort.signal,
      notify: ({ method, params }) => send(stream, notificationLine(method, params)),
    };
    streams.set(route, stream);
    const outcome = await call(route);
    running.delete(request.id);
    streams.delete(route);
    lastUse = clock();
    finish(stream, responseLine(request.id, outcome));
    return outcome;
  }

  function finish(stream: Stream, line: string): void {
    if (stream.name === COMMON) {
      send(stream, line);
      return;
    }
    const { reply } = stream;
    // An answer that goes out as plain JSON cannot be resumed, and is not kept.
    if (reply !== undefined && !reply.isStream() && !reply.isOver()) reply.end(200, line);
    else {
      const event = log.append(stream.name, line);
      reply?.end(200, line, event.id);
    }
    stream.reply = undefined;
  }

  function take(message: Notification | Response): void {
    lastUse = clock();
    if (message.kind === 'response') {
      if (typeof message.id === 'number') answer(message.id, message.outcome);
    } else if (message.method === 'notifications/cancelled') {
      const { requestId } = message.params;
      if (isId(requestId)) running.get(requestId)?.abort.abort();
    } else tell(message);
  }

  function listen(reply: Reply, lastEventId: string | undefined): boolean {
    lastUse = clock();
    if (lastEventId === undefined) {
      attach(common, reply);
      return true;
    }
    const missed = log.after(lastEventId);
    if (missed === undefined) return false;
    const stream = missed.stream === COMMON ? common : streamNamed(missed.stream);
    reply.stream();
    for (const event of missed.events) reply.event(event.data, { id: event.id });
    if (stream === undefined) reply.close();
    else attach(stream, reply);
    return true;
  }

  function streamNamed(name: string): Stream | undefined {
    return [...running.values()].find(({ stream }) => stream.name === name)?.stream;
  }

  function attach(stream: Stream, reply: Reply): void {
    stream.reply?.close();
    prime({ ...stream, reply });
    reply.stream();
    stream.reply = reply;
    if (stream !== common) return;
    const waiting = unheard;
    unheard = [];
    for (const data of waiting) send(common, data);
  }

  const session: Session = {
    id,
    caller,
    path: options.path,
    startedAt,
    serve,
    take,
    listen,
    say: (data) => send(common, data),
    isIdle: () => running.size === 0 && (common.reply === undefined || common.reply.isOver()),
    lastUse: () => lastUse,
    evicted: log.evicted,
    close() {
      if (isClosed) return;
      isClosed = true;
      for (const { abort } of running.values()) abort.abort();
      for (const number of [...asked.keys()]) answer(number, failure(CODE.internal, 'The session is over'));
      common.reply?.close();
      log.clear();
      closeUpstream();
      options.onClose?.();
    },
  };
  return { ok: true, session, opened: upstream.opened };
}
