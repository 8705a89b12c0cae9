import { isList, isObject, type JsonObject, objectOf } from '../policy/json.ts';
import { CODE, META } from './protocol.ts';
import type { Route } from './route.ts';
import { failure, type Notification, type Outcome, withMeta } from './rpc.ts';
import type { Watch } from './session-state.ts';

/** Change notifications of a legacy tool, for whoever wants them. */
export interface Changes {
  /** Hands a notification of the tool to all who listen. */
  emit(notification: Notification): void;
  /** Hears every change until the returned function is called. */
  hear(listener: (notification: Notification) => void): () => void;
  /** Watches a resource at the tool until the returned function is called. Rejects never; the outcome is the tool's. */
  watch(uri: string): Promise<Watch>;
  /** `subscriptions/listen` of 2026-07-28: lasts until the client is gone. */
  listen(route: Route, capabilities: JsonObject): Promise<Outcome>;
}

/** Sends `resources/subscribe` or `resources/unsubscribe` to the tool. Never rejects. */
export type Subscribe = (method: 'resources/subscribe' | 'resources/unsubscribe', uri: string) => Promise<Outcome>;

/** Resources that one listener may watch. */
const MOST_WATCHED = 256;

const LIST_CHANGES = {
  toolsListChanged: ['tools', 'notifications/tools/list_changed'],
  promptsListChanged: ['prompts', 'notifications/prompts/list_changed'],
  resourcesListChanged: ['resources', 'notifications/resources/list_changed'],
} as const;

export function createChanges(subscribe: Subscribe): Changes {
  const listeners = new Set<(notification: Notification) => void>();
  const watched = new Map<string, { count: number; outcome: Promise<Outcome> }>();

  function hear(listener: (notification: Notification) => void): () => void {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  async function watch(uri: string): Promise<Watch> {
    const known = watched.get(uri) ?? { count: 0, outcome: subscribe('resources/subscribe', uri) };
    watched.set(uri, known);
    known.count += 1;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      known.count -= 1;
      if (known.count > 0 || watched.get(uri) !== known) return;
      watched.delete(uri);
      void subscribe('resources/unsubscribe', uri);
    };
    const outcome = await known.outcome;
    if ('error' in outcome) end();
    return { outcome, end };
  }

  async function listen(route: Route, capabilities: JsonObject): Promise<Outcome> {
    const wanted = route.params.notifications;
    if (!isObject(wanted)) return failure(CODE.invalidParams, 'Invalid params: "notifications" is no object');
    const uris = urisOf(wanted);
    if (uris.length > MOST_WATCHED)
      return failure(CODE.invalidParams, `Invalid params: more than ${MOST_WATCHED} resources to watch`);
    const canWatch = objectOf(capabilities.resources).subscribe === true;
    const honored: Record<string, true | string[]> = {};
    const methods = new Set<string>();
    for (const [name, [capability, method]] of Object.entries(LIST_CHANGES)) {
      if (wanted[name] !== true || objectOf(capabilities[capability]).listChanged !== true) continue;
      honored[name] = true;
      methods.add(method);
    }
    if (canWatch && uris.length > 0) honored.resourceSubscriptions = uris;
    const tagged = (notification: Notification): Notification => ({
      ...notification,
      params: withMeta(notification.params, { [META.subscription]: route.id }),
    });
    const method = 'notifications/subscriptions/acknowledged';
    route.notify(tagged({ kind: 'notification', method, params: { notifications: honored } }));
    const isWatched = new Set(canWatch ? uris : []);
    const deaf = hear((notification) => {
      const isUpdate = notification.method === 'notifications/resources/updated';
      const isWanted = isUpdate ? isWatched.has(String(notification.params.uri)) : methods.has(notification.method);
      if (isWanted) route.notify(tagged(notification));
    });
    const watches = [...isWatched].map((uri) => watch(uri));
    if (Object.keys(honored).length > 0) await aborted(route.signal);
    deaf();
    for (const watching of watches) void watching.then(({ end }) => end());
    return { result: { resultType: 'complete', _meta: { [META.subscription]: route.id } } };
  }

  return {
    emit(notification) {
      for (const listener of listeners) listener(notification);
    },
    hear,
    watch,
    listen,
  };
}

function urisOf(wanted: JsonObject): string[] {
  const { resourceSubscriptions } = wanted;
  return isList(resourceSubscriptions) ? resourceSubscriptions.filter((uri) => typeof uri === 'string') : [];
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
