import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue, objectOf, textOf } from '../policy/json.ts';
import { agreedVersion, usableCapabilities } from './opening.ts';
import { CODE, META, MODERN } from './protocol.ts';
import type { Client, Route, Upstream } from './route.ts';
import { failure, metaOf, type Notification, type Outcome, type Request, withMeta } from './rpc.ts';
import { createSessionState, type Watch } from './session-state.ts';

/** Calls a tool of 2026-07-28. Never rejects. */
export type CallModern = (route: Route) => Promise<Outcome>;

/** A tool that asks again and again is cut off after so many rounds. */
const MOST_ROUNDS = 16;

const LIST_CHANGES = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };

/**
 * A session of the legacy era over a tool that only speaks 2026-07-28: the handshake is answered here, what the tool wants to know is asked of
 * the client, and the call made again with the answers. `said` is what the tool answered to `server/discover`.
 */
export function openSessionOverModern(client: Client, said: JsonObject, callTool: CallModern): Upstream {
  const clientCapabilities = usableCapabilities(objectOf(client.opening.capabilities));
  const closed = new AbortController();
  const state = createSessionState(said, watch);
  let count = 0;

  function described(params: JsonObject, more: Record<string, JsonValue | undefined> = {}): JsonObject {
    const clientInfo = isObject(client.opening.clientInfo) ? client.opening.clientInfo : undefined;
    return withMeta(params, {
      [META.version]: MODERN,
      [META.clientInfo]: clientInfo,
      [META.capabilities]: clientCapabilities,
      [META.logLevel]: state.logLevel(),
      ...more,
    });
  }

  async function call(route: Route): Promise<Outcome> {
    const answered = state.answer(route);
    if (answered !== undefined) return await answered;
    return await inRounds(route);
  }

  async function inRounds(route: Route): Promise<Outcome> {
    let more: JsonObject = {};
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const outcome = await callTool({ ...route, params: described({ ...route.params, ...more }) });
      if ('error' in outcome) return outcome;
      const { result } = outcome;
      if (result.resultType !== 'input_required') return { result: legacyResult(result) };
      const answered = await askAll(objectOf(result.inputRequests), route);
      if ('error' in answered) return answered;
      more = {
        inputResponses: answered.result,
        ...(result.requestState === undefined ? {} : { requestState: result.requestState }),
      };
    }
    return failure(CODE.internal, `The tool asked for more ${MOST_ROUNDS} times in a row`);
  }

  async function askAll(requests: JsonObject, route: Route): Promise<Outcome> {
    const responses: Record<string, JsonObject> = {};
    const all = Object.entries(requests).map(async ([key, request]) => {
      const outcome = await client.ask(legacyQuestion(objectOf(request)), route);
      if ('result' in outcome) responses[key] = outcome.result;
      return outcome;
    });
    const failed = (await Promise.all(all)).find((outcome) => 'error' in outcome);
    return failed ?? { result: responses };
  }

  async function watch(uri: string): Promise<Watch> {
    const ends = new AbortController();
    const end = (): void => ends.abort();
    if (objectOf(objectOf(said.capabilities).resources).subscribe !== true)
      return { outcome: failure(CODE.methodNotFound, 'Method not found: resources/subscribe'), end };
    listen({ resourceSubscriptions: [uri] }, ends.signal);
    return { outcome: { result: {} }, end };
  }

  function listen(notifications: JsonObject, signal: AbortSignal): void {
    count += 1;
    void callTool({
      caller: client.caller,
      id: `listen-${count}`,
      method: 'subscriptions/listen',
      params: described({ notifications }),
      signal: AbortSignal.any([signal, closed.signal]),
      notify(notification: Notification) {
        if (notification.method === 'notifications/subscriptions/acknowledged') return;
        client.notify({ ...notification, params: withMeta(notification.params, { [META.subscription]: undefined }) });
      },
    });
  }

  function tell({ method }: Notification): void {
    if (method === 'notifications/initialized') listen(LIST_CHANGES, closed.signal);
  }

  const { instructions } = said;
  return {
    opened: {
      protocolVersion: agreedVersion(client.opening, {}),
      capabilities: objectOf(said.capabilities),
      serverInfo: metaOf(said)[META.serverInfo] ?? { name: 'unnamed', version: '0' },
      ...(instructions === undefined ? {} : { instructions }),
    },
    call,
    tell,
    close: () => closed.abort(),
  };
}

/** 2025-11-25 wants an id for a page that is to be visited; 2026-07-28 has none. */
function legacyQuestion({ method, params }: JsonObject): Pick<Request, 'method' | 'params'> {
  const asked = objectOf(params);
  const isPage = method === 'elicitation/create' && asked.mode === 'url' && asked.elicitationId === undefined;
  const named = isPage ? { ...asked, elicitationId: randomUUID() } : asked;
  return { method: textOf(method), params: named };
}

/** Without what only the modern era has. */
function legacyResult(result: JsonObject): JsonObject {
  const { resultType: _type, ttlMs: _ttl, cacheScope: _scope, ...rest } = result;
  return rest;
}
