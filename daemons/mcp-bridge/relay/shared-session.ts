import { objectOf, textOf } from '../policy/json.ts';
import type { Changes } from './changes.ts';
import type { LegacyLink, LegacyPool } from './legacy-pool.ts';
import { agreedVersion, usableCapabilities } from './opening.ts';
import { CODE, INTERACTIVE } from './protocol.ts';
import { type Client, nowhere, type Route, type Upstream } from './route.ts';
import { failure, type Notification, type Outcome, type Request } from './rpc.ts';
import { createSessionState } from './session-state.ts';

export interface SharedSessionOptions {
  readonly pool: LegacyPool;
  readonly changes: Changes;
  readonly client: Client;
  readonly timeout: number | undefined;
}

/**
 * A session of the legacy era over processes that other sessions use as well: what remembers nothing goes over one that all share; what may ask
 * this client something has a process to itself until it is answered. Rejects where the tool cannot be opened.
 */
export async function openSharedSession({ pool, changes, client, timeout }: SharedSessionOptions): Promise<Upstream> {
  const { said } = await pool.common();
  const capabilities = usableCapabilities(objectOf(client.opening.capabilities));
  const state = createSessionState(said, changes.watch);

  const deaf = changes.hear((notification) => {
    const isUpdate = notification.method === 'notifications/resources/updated';
    if (isUpdate ? state.isWatched(textOf(notification.params.uri)) : notification.method.endsWith('/list_changed'))
      client.notify(notification);
  });

  async function call(route: Route): Promise<Outcome> {
    try {
      return await dispatch(route);
    } catch (error) {
      return failure(CODE.internal, error instanceof Error ? error.message : String(error));
    }
  }

  async function dispatch(route: Route): Promise<Outcome> {
    const answered = state.answer(route);
    if (answered !== undefined) return await answered;
    const isAsked = Object.keys(capabilities).length > 0 || state.logLevel() !== undefined;
    if (INTERACTIVE.has(route.method) && isAsked) return await callAlone(route);
    return await over(await pool.common(), route);
  }

  function over(link: LegacyLink, route: Route): Promise<Outcome> {
    const { method, params, signal, notify } = route;
    return link.connection.request({ method, params, signal, onNotification: notify, timeout });
  }

  async function callAlone(route: Route): Promise<Outcome> {
    const holder = {
      onNotification: route.notify,
      onRequest: (request: Request) => client.ask(request, route),
    };
    const link = await pool.lease(capabilities, holder, route.signal, route.caller.agent);
    if (route.signal.aborted) {
      pool.giveBack(link);
      return failure(CODE.internal, 'The request was cancelled');
    }
    await setLogLevel(link);
    const outcome = await over(link, route);
    if (route.signal.aborted || link.connection.pending() > 0) pool.discard(link);
    else pool.giveBack(link);
    return outcome;
  }

  async function setLogLevel(link: LegacyLink): Promise<void> {
    const level = state.logLevel();
    if (level === undefined || link.logLevel === level) return;
    link.logLevel = level;
    const signal = AbortSignal.timeout(10_000);
    const params = { level };
    await link.connection.request({ method: 'logging/setLevel', params, signal, onNotification: nowhere, timeout });
  }

  return {
    opened: { ...said, protocolVersion: agreedVersion(client.opening, said) },
    call,
    tell: (_notification: Notification) => undefined,
    close() {
      deaf();
      state.end();
    },
  };
}
