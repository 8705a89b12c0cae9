import type { Connection, StartTool } from './connection.ts';
import { openLegacy } from './legacy-pool.ts';
import { CODE } from './protocol.ts';
import type { Client, Route, Upstream } from './route.ts';
import { failure, type Notification, type Outcome } from './rpc.ts';

export interface OwnSessionOptions {
  readonly tool: string;
  readonly start: StartTool;
  readonly client: Client;
  readonly timeout: number | undefined;
  /** Asked before a process is started again, after the first was ended for being idle. */
  readonly mayStart: () => boolean;
}

/** A session with a process of its own. */
export interface OwnSession extends Upstream {
  /** Whether it has a process now, or is about to. */
  hasProcess(): boolean;
  /** Ends the process where it has not been used for `idle` milliseconds; the next call starts another. */
  sweep(idle: number, now: number): void;
}

/**
 * A session of the legacy era with a process of its own: everything goes through as it came. Rejects where the tool cannot be opened.
 */
export async function openOwnSession(options: OwnSessionOptions): Promise<OwnSession> {
  const { tool, start, client, timeout } = options;
  const running = new Set<Route>();
  let lastUse = Date.now();
  let isClosed = false;
  let connection: Promise<Connection> | undefined;
  let opened = 0;

  async function open(): Promise<{ connection: Connection; said: Upstream['opened'] }> {
    opened += 1;
    const number = opened;
    return await openLegacy(tool, start, client.opening, {
      onNotification(notification) {
        const about = notification.method === 'notifications/message' ? latest() : undefined;
        (about ?? client).notify(notification);
      },
      onRequest: (request) => client.ask(request, latest()),
      onEnd() {
        // One that was ended for being idle may end after another was started.
        if (number === opened) connection = undefined;
      },
    });
  }

  /** On stdio a tool does not say for which request it asks; the newest is the best guess, and only chooses between streams of one client. */
  function latest(): Route | undefined {
    return [...running].at(-1);
  }

  async function reopen(): Promise<Connection> {
    const opened = await open();
    opened.connection.notify('notifications/initialized', {});
    return opened.connection;
  }

  function current(): Promise<Connection> {
    if (connection === undefined) {
      if (!options.mayStart()) return Promise.reject(new Error('all of its processes are in use; try again later'));
      const opening = reopen();
      connection = opening;
      opening.catch(() => {
        if (connection === opening) connection = undefined;
      });
    }
    return connection;
  }

  async function call(route: Route): Promise<Outcome> {
    if (isClosed) return failure(CODE.internal, 'The session is over');
    lastUse = Date.now();
    running.add(route);
    try {
      const { method, params, signal, notify } = route;
      return await (await current()).request({ method, params, signal, onNotification: notify, timeout });
    } catch (error) {
      return failure(CODE.internal, error instanceof Error ? error.message : String(error));
    } finally {
      running.delete(route);
      lastUse = Date.now();
    }
  }

  async function stop(): Promise<void> {
    const open = connection;
    connection = undefined;
    await (await open?.catch(() => undefined))?.stop();
  }

  const first = await open();
  connection = Promise.resolve(first.connection);
  if (first.connection.hasEnded()) connection = undefined;
  return {
    opened: first.said,
    call,
    tell({ method, params }: Notification) {
      void connection?.then((open) => open.notify(method, params)).catch(() => undefined);
    },
    close() {
      isClosed = true;
      void stop();
    },
    hasProcess: () => connection !== undefined,
    sweep(idle, now) {
      if (running.size === 0 && now - lastUse >= idle) void stop();
    },
  };
}
