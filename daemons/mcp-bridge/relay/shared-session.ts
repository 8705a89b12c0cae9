import { type JsonObject, objectOf, textOf } from '../policy/json.ts';
import type { Changes } from './changes.ts';
import type { LegacyLink, LegacyPool } from './legacy-pool.ts';
import { agreedVersion, can, usableCapabilities } from './opening.ts';
import { CODE, INTERACTIVE } from './protocol.ts';
import { type Client, nowhere, type Route, type Upstream } from './route.ts';
import { failure, type Notification, type Outcome, type Request } from './rpc.ts';

export interface SharedSessionOptions {
  readonly pool: LegacyPool;
  readonly changes: Changes;
  readonly client: Client;
  readonly timeout: number | undefined;
}

/** Resources that one session may watch. */
const MOST_WATCHED = 256;

/**
 * A session of the legacy era over processes that other sessions use as well: what remembers nothing goes over one that all share; what may ask
 * this client something has a process to itself until it is answered. Rejects where the tool cannot be opened.
 */
export async function openSharedSession({ pool, changes, client, timeout }: SharedSessionOptions): Promise<Upstream> {
  const { said } = await pool.common();
  const capabilities = usableCapabilities(objectOf(client.opening.capabilities));
  const watches = new Map<string, () => void>();
  let logLevel: string | undefined;

  const deaf = changes.hear((notification) => {
    const isUpdate = notification.method === 'notifications/resources/updated';
    if (isUpdate ? watches.has(textOf(notification.params.uri)) : notification.method.endsWith('/list_changed'))
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
    switch (route.method) {
      case 'ping':
        return { result: {} };
      case 'logging/setLevel':
        if (!can(said, 'logging')) return failure(CODE.methodNotFound, 'Method not found: logging/setLevel');
        logLevel = textOf(route.params.level);
        return { result: {} };
      case 'resources/subscribe':
        return await watch(textOf(route.params.uri));
      case 'resources/unsubscribe':
        watches.get(textOf(route.params.uri))?.();
        watches.delete(textOf(route.params.uri));
        return { result: {} };
    }
    const isAsked = Object.keys(capabilities).length > 0 || logLevel !== undefined;
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
    if (logLevel === undefined || link.logLevel === logLevel) return;
    link.logLevel = logLevel;
    const signal = AbortSignal.timeout(10_000);
    const params: JsonObject = { level: logLevel };
    await link.connection.request({ method: 'logging/setLevel', params, signal, onNotification: nowhere, timeout });
  }

  async function watch(uri: string): Promise<Outcome> {
    if (watches.has(uri)) return { result: {} };
    if (watches.size >= MOST_WATCHED)
      return failure(CODE.invalidParams, `More than ${MOST_WATCHED} resources to watch`);
    const { outcome, end } = await changes.watch(uri);
    if ('result' in outcome) watches.set(uri, end);
    return outcome;
  }

  return {
    opened: { ...said, protocolVersion: agreedVersion(client.opening, said) },
    call,
    tell: (_notification: Notification) => undefined,
    close() {
      deaf();
      for (const end of watches.values()) end();
    },
  };
}
