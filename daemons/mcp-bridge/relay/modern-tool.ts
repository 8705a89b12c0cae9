import type { JsonObject } from '../policy/json.ts';
import { type Connection, type ConnectionEvents, openConnection, type StartTool } from './connection.ts';
import { discover } from './opening.ts';
import { CODE, META } from './protocol.ts';
import type { Route } from './route.ts';
import { failure, metaOf, type Notification, type Outcome } from './rpc.ts';

/** A process of a tool that speaks MCP 2026-07-28, for whoever calls. */
export interface ModernLink {
  readonly connection: Connection;
  /** What the tool answered to `server/discover`. */
  readonly said: JsonObject;
}

/** Opens a tool in the modern era. Undefined where it does not speak it; rejects where it cannot be started. */
export async function openModern(
  tool: string,
  start: StartTool,
  loggers: Loggers,
  environment: Readonly<Record<string, string>>,
): Promise<ModernLink | undefined> {
  const events: ConnectionEvents = {
    onNotification: loggers.onNotification,
    onRequest: () =>
      Promise.resolve(
        failure(CODE.methodNotFound, 'MCP 2026-07-28 has no requests from a server; answer with input_required'),
      ),
    onEnd: () => undefined,
  };
  const connection = await openConnection(tool, start, events, environment);
  const opened = await discover(connection);
  if (opened.ok) return { connection, said: opened.said };
  if (connection.hasEnded()) throw new Error(opened.error.message);
  await connection.stop();
  return undefined;
}

/** Brings a tool's log lines, which name no request on stdio, to the one caller that wants some: with two there is no telling. */
export interface Loggers {
  readonly onNotification: (notification: Notification) => void;
  /** Runs a call whose caller wants log lines. */
  during<T>(route: Route, run: () => Promise<T>): Promise<T>;
}

export function createLoggers(): Loggers {
  const wanting = new Set<Route>();
  return {
    onNotification(notification) {
      const [only, another] = wanting;
      if (notification.method === 'notifications/message' && another === undefined) only?.notify(notification);
    },
    async during(route, run) {
      wanting.add(route);
      try {
        return await run();
      } finally {
        wanting.delete(route);
      }
    },
  };
}

/** Calls over an open link: what came goes on as it is. */
export function callModern(
  link: ModernLink,
  loggers: Loggers,
  route: Route,
  timeout: number | undefined,
): Promise<Outcome> {
  const isListening = route.method === 'subscriptions/listen';
  const run = (): Promise<Outcome> =>
    link.connection.request({
      method: route.method,
      params: route.params,
      signal: route.signal,
      onNotification: route.notify,
      timeout: isListening ? undefined : timeout,
      ...(isListening ? { subscription: route.id } : {}),
    });
  return metaOf(route.params)[META.logLevel] === undefined ? run() : loggers.during(route, run);
}
