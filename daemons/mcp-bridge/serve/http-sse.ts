import { CODE } from '../relay/protocol.ts';
import type { Endpoint } from '../relay/route.ts';
import { failure, type Malformed, type Message, type Outcome, responseLine } from '../relay/rpc.ts';
import { createReply, type Reply } from './reply.ts';
import { openSession, type Session } from './session.ts';
import { type Arrival, answer, type Front } from './streamable.ts';

/** A client of HTTP+SSE (2024-11-05): one stream for all that it is told, and messages posted elsewhere. */
interface Line {
  readonly id: string;
  readonly endpoint: Endpoint;
  readonly agent: string;
  reply: Reply;
  /** Once it has said `initialize`. */
  session: Session | undefined;
  isOpening: boolean;
}

export interface HttpSse {
  /** GET /sse: opens a stream, or takes one up by `session_id` and `Last-Event-ID`. */
  open(arrival: Arrival): void;
  /** POST /message. */
  post(arrival: Omit<Arrival, 'endpoint'>, message: Message | Malformed): Promise<void>;
}

/** A client that has opened a stream and not said `initialize`. */
const MOST_UNOPENED = 256;

/** Creates the front for clients of before 2025-03-26. */
export function createHttpSse(front: Front, newId: () => string): HttpSse {
  const lines = new Map<string, Line>();

  function open({ request, response, endpoint, agent }: Arrival): void {
    const given = queryOf(request.url).get('session_id');
    if (given !== null) {
      takeUp(given, { request, response, agent });
      return;
    }
    if (!makeRoom()) {
      answer(response, 503, undefined, failure(CODE.internal, 'Too many streams are open; try again later'));
      return;
    }
    const id = newId();
    const reply = createReply(response, { 'x-session-id': id });
    const line: Line = { id, endpoint, agent, reply, session: undefined, isOpening: false };
    lines.set(id, line);
    response.once('close', () => {
      if (line.session === undefined) lines.delete(id);
    });
    reply.event(`/message?session_id=${id}`, { event: 'endpoint' });
  }

  /** Who has said nothing yet goes for who comes, the oldest first: streams that nobody uses keep nobody out. */
  function makeRoom(): boolean {
    const unopened = [...lines.values()].filter(({ session }) => session === undefined);
    if (unopened.length < MOST_UNOPENED) return true;
    const oldest = unopened.find(({ isOpening }) => !isOpening);
    if (oldest === undefined) return false;
    lines.delete(oldest.id);
    oldest.reply.close();
    return true;
  }

  function takeUp(id: string, { request, response, agent }: Pick<Arrival, 'request' | 'response' | 'agent'>): void {
    const line = lines.get(id);
    if (line?.session === undefined) {
      answer(response, 404, undefined, failure(CODE.invalidRequest, 'Session not found'));
      return;
    }
    if (line.agent !== agent) {
      answer(response, 403, undefined, failure(CODE.invalidRequest, 'This session belongs to another agent'));
      return;
    }
    const last = request.headers['last-event-id'];
    const reply = createReply(response, { 'x-session-id': id });
    if (!line.session.listen(reply, typeof last === 'string' ? last : undefined))
      answer(response, 404, undefined, failure(CODE.invalidRequest, 'This Last-Event-ID is not known any more'));
    else {
      line.reply = reply;
      front.onReconnected();
    }
  }

  async function post(
    { request, response, agent }: Omit<Arrival, 'endpoint'>,
    message: Message | Malformed,
  ): Promise<void> {
    const header = request.headers['x-session-id'];
    const id = typeof header === 'string' ? header : (queryOf(request.url).get('session_id') ?? '');
    const line = lines.get(id);
    if (line === undefined) {
      answer(response, 404, undefined, failure(CODE.invalidRequest, 'Session not found: open /sse first'));
      return;
    }
    if (line.agent !== agent) {
      answer(response, 403, undefined, failure(CODE.invalidRequest, 'This session belongs to another agent'));
      return;
    }
    if (message.kind === 'malformed') {
      answer(response, 400, message.id, { error: message.error });
      return;
    }
    const isFirst = message.kind === 'request' && message.method === 'initialize' && line.session === undefined;
    if (line.session === undefined && (!isFirst || line.isOpening)) {
      answer(response, 400, undefined, failure(CODE.invalidRequest, 'Begin with initialize'));
      return;
    }
    const body = '{"status":"accepted"}';
    response.writeHead(202, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
    const started = front.clock();
    if (message.kind !== 'request') line.session?.take(message);
    else {
      const outcome = isFirst ? await begin(line, message) : await line.session?.serve(message, line.reply);
      if (outcome !== undefined) front.onAnswered(message.method, outcome, front.clock() - started);
    }
  }

  async function begin(line: Line, message: Extract<Message, { kind: 'request' }>): Promise<Outcome> {
    line.isOpening = true;
    const { endpoint, agent } = line;
    const opened = await openSession({
      endpoint,
      path: `/sse ${line.id}`,
      agent,
      opening: message.params,
      hasOneStream: true,
      clock: front.clock,
      memory: front.memory,
      onClose: () => lines.delete(line.id),
    });
    line.isOpening = false;
    if (!opened.ok) {
      line.reply.event(responseLine(message.id, opened.error));
      return opened.error;
    }
    const { session } = opened;
    if (line.reply.isOver() || !front.sessions.add(session)) {
      session.close();
      return failure(CODE.internal, 'As many sessions are open as may be');
    }
    line.session = session;
    session.listen(line.reply, undefined);
    const outcome: Outcome = { result: opened.opened };
    session.say(responseLine(message.id, outcome));
    return outcome;
  }

  return { open, post };
}

function queryOf(url: string | undefined): URLSearchParams {
  return new URLSearchParams(url?.split('?')[1] ?? '');
}
