import { isObject, type JsonObject, MOST_LEVELS } from '../policy/json.ts';
import { type DroppedLine, describeEnd, type ToolEnd, type ToolProcess } from '../tools/process.ts';
import { CODE, META } from './protocol.ts';
import {
  classify,
  failure,
  type Id,
  isId,
  metaOf,
  type Notification,
  notificationLine,
  type Outcome,
  parseExact,
  type Request,
  requestLine,
  responseLine,
  withMeta,
} from './rpc.ts';

/** A request on its way to a tool. */
export interface Call {
  readonly method: string;
  readonly params: JsonObject;
  /** Ends the request at the tool (`notifications/cancelled`). */
  readonly signal: AbortSignal;
  /** What the tool says about this call, with the token of whoever called. */
  readonly onNotification: (notification: Notification) => void;
  /** The id by which the caller knows a `subscriptions/listen`. */
  readonly subscription?: Id;
  /** How long the tool may be silent. Milliseconds; undefined: for ever. */
  readonly timeout: number | undefined;
}

/** What a tool says that belongs to no call of this connection. */
export interface ConnectionEvents {
  readonly onNotification: (notification: Notification) => void;
  /** `signal` is aborted when the tool takes its request back, or has ended. */
  readonly onRequest: (request: Request, signal: AbortSignal) => Promise<Outcome>;
  readonly onEnd: (end: ToolEnd) => void;
}

/** Starts a process of one tool. Rejects where it cannot be started. */
export type StartTool = (handlers: {
  readonly onMessage: (message: JsonObject, line: string) => void;
  readonly onDropped: (dropped: DroppedLine) => void;
  /** Variables for this process alone. */
  readonly environment?: Readonly<Record<string, string>>;
}) => Promise<ToolProcess>;

/** One process of a tool, to which any number of callers speak at once: ids and progress tokens are its own. */
export interface Connection {
  readonly id: string;
  /** Calls without an answer. */
  pending(): number;
  hasEnded(): boolean;
  /** Calls that it must answer within a time. */
  working(): number;
  /** Whether the tool has said anything since this was last asked. */
  takeHeard(): boolean;
  /** Never rejects: a tool that dies answers with an error. */
  request(call: Call): Promise<Outcome>;
  notify(method: string, params: JsonObject): void;
  /** Again: the same end. */
  stop(): Promise<void>;
}

interface Pending {
  readonly call: Call;
  readonly token: Id | undefined;
  readonly settle: (outcome: Outcome) => void;
  timer: NodeJS.Timeout | undefined;
  readonly onAbort: () => void;
}

/** Questions of one process that have no answer yet. */
const MOST_SERVED = 256;
/** Characters that may wait for a tool which reads slower than is written to it; then calls are refused. */
const MOST_WAITING = 32 * 1024 * 1024;

/** Starts the tool and speaks to it. Rejects as {@link StartTool} does. */
export async function openConnection(
  tool: string,
  start: StartTool,
  events: ConnectionEvents,
  environment: Readonly<Record<string, string>> = {},
): Promise<Connection> {
  const pending = new Map<number, Pending>();
  const served = new Map<Id, AbortController>();
  let lastId = 0;
  let ended: ToolEnd | undefined;
  const early: string[] = [];
  let process: ToolProcess | undefined;
  let blocked: Promise<void> | undefined;
  let waiting = 0;
  let isHeard = true;

  process = await start({ onMessage, onDropped, environment });
  const running = process;
  void running.ended.then((end) => {
    ended = end;
    const error = failure(
      CODE.internal,
      `The tool "${tool}" ${describeEnd(end)} before it answered; it is started again for the next call`,
    );
    for (const id of [...pending.keys()]) settle(id, error);
    for (const asked of served.values()) asked.abort();
    events.onEnd(end);
  });
  for (const line of early) send(line);

  function send(line: string): void {
    if (process === undefined) {
      early.push(line);
      return;
    }
    const writer = process;
    if (blocked !== undefined) {
      waiting += line.length;
      blocked = blocked.then(() => write(writer, line));
      return;
    }
    if (!writer.send(line)) hold(writer);
  }

  /** While the tool reads slower than is written, what follows waits in order. */
  function hold(writer: ToolProcess): void {
    blocked = writer.drained();
    void unblock(blocked);
  }

  async function unblock(first: Promise<void>): Promise<void> {
    let last = first;
    await last;
    while (blocked !== undefined && blocked !== last) {
      last = blocked;
      await last;
    }
    blocked = undefined;
  }

  async function write(writer: ToolProcess, line: string): Promise<void> {
    waiting -= line.length;
    if (!writer.send(line)) await writer.drained();
  }

  function settle(id: number, outcome: Outcome): void {
    const one = pending.get(id);
    if (one === undefined) return;
    pending.delete(id);
    clearTimeout(one.timer);
    one.call.signal.removeEventListener('abort', one.onAbort);
    one.settle(outcome);
  }

  function cancel(id: number, reason: string): void {
    if (!pending.has(id)) return;
    send(notificationLine('notifications/cancelled', { requestId: id, reason }));
    settle(id, failure(CODE.internal, reason));
  }

  function request(call: Call): Promise<Outcome> {
    if (ended !== undefined)
      return Promise.resolve(
        failure(CODE.internal, `The tool "${tool}" ${describeEnd(ended)}; it is started again for the next call`),
      );
    if (call.signal.aborted) return Promise.resolve(failure(CODE.internal, 'The request was cancelled'));
    if (waiting > MOST_WAITING)
      return Promise.resolve(failure(CODE.internal, `The tool "${tool}" reads too slowly; try again later`));
    lastId += 1;
    const id = lastId;
    const meta = metaOf(call.params);
    const token = meta.progressToken;
    const isTold = typeof token === 'string' || typeof token === 'number';
    const params = isTold ? withMeta(call.params, { progressToken: id }) : call.params;
    return new Promise((resolve) => {
      const onAbort = (): void => cancel(id, 'The request was cancelled');
      const one: Pending = { call, token: isTold ? token : undefined, settle: resolve, timer: undefined, onAbort };
      pending.set(id, one);
      call.signal.addEventListener('abort', onAbort, { once: true });
      arm(id, one);
      send(requestLine(id, call.method, params));
    });
  }

  function arm(id: number, one: Pending): void {
    if (one.call.timeout === undefined) return;
    const seconds = one.call.timeout / 1000;
    clearTimeout(one.timer);
    one.timer = setTimeout(() => cancel(id, `The tool "${tool}" did not answer within ${seconds} s`), one.call.timeout);
  }

  function onMessage(parsed: JsonObject, line: string): void {
    isHeard = true;
    const exact = parseExact(line);
    const message = classify(isObject(exact) ? exact : parsed);
    if (message.kind === 'response') {
      if (typeof message.id === 'number') settle(message.id, message.outcome);
    } else if (message.kind === 'notification') onNotification(message);
    else if (message.kind === 'request') void serve(message);
    else if (message.id !== undefined) send(responseLine(message.id, { error: message.error }));
  }

  function onNotification(notification: Notification): void {
    const { params } = notification;
    if (notification.method === 'notifications/cancelled') {
      if (isId(params.requestId)) served.get(params.requestId)?.abort();
      return;
    }
    if (notification.method === 'notifications/progress') {
      const one = typeof params.progressToken === 'number' ? pending.get(params.progressToken) : undefined;
      if (one?.token === undefined) return;
      arm(Number(params.progressToken), one);
      one.call.onNotification({ ...notification, params: { ...params, progressToken: one.token } });
      return;
    }
    const subscription = metaOf(params)[META.subscription];
    if (subscription === undefined) {
      events.onNotification(notification);
      return;
    }
    const one = typeof subscription === 'number' ? pending.get(subscription) : undefined;
    if (one?.call.subscription === undefined) return;
    one.call.onNotification({
      ...notification,
      params: withMeta(params, { [META.subscription]: one.call.subscription }),
    });
  }

  async function serve(asked: Request): Promise<void> {
    if (asked.method === 'ping') {
      send(responseLine(asked.id, { result: {} }));
      return;
    }
    if (served.size >= MOST_SERVED || served.has(asked.id)) {
      send(responseLine(asked.id, failure(CODE.internal, 'Too many requests at once, or this id is in use')));
      return;
    }
    const controller = new AbortController();
    served.set(asked.id, controller);
    const outcome = await events.onRequest(asked, controller.signal);
    served.delete(asked.id);
    if (ended === undefined && !controller.signal.aborted) send(responseLine(asked.id, outcome));
  }

  function onDropped(dropped: DroppedLine): void {
    if (typeof dropped.id !== 'number') return;
    const what =
      dropped.why === 'too-deep'
        ? `more than ${MOST_LEVELS} levels of nesting`
        : `${dropped.bytes} bytes, more than may be passed on`;
    settle(dropped.id, failure(CODE.internal, `The tool "${tool}" answered with ${what}`));
  }

  return {
    id: running.id,
    pending: () => pending.size,
    hasEnded: () => ended !== undefined,
    request,
    working: () => [...pending.values()].filter(({ call }) => call.timeout !== undefined).length,
    takeHeard() {
      const was = isHeard;
      isHeard = false;
      return was;
    },
    notify(method, params) {
      if (waiting <= MOST_WAITING) send(notificationLine(method, params));
    },
    async stop() {
      await running.stop();
    },
  };
}
