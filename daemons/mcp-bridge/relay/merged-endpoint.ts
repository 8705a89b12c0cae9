import { isList, isObject, type JsonObject, type JsonValue, objectOf, textOf } from '../policy/json.ts';
import { aborted } from './changes.ts';
import { joinName, joinUri, splitName, splitUri } from './names.ts';
import { agreedVersion } from './opening.ts';
import { BRIDGE, CODE, META, MODERN, NEWEST_LEGACY, REMOVED } from './protocol.ts';
import type { Client, Endpoint, Route, Upstream } from './route.ts';
import { failure, type Notification, type Outcome, withMeta } from './rpc.ts';
import { inParallel, within } from './within.ts';

/** Lists of a tool that go on and on are cut off after so many pages. */
const MOST_PAGES = 100;
const TASKS = 'io.modelcontextprotocol/tasks';
/** Tools that are opened at once for one client. */
const MOST_OPENING = 8;
/** So long one tool holds up the answer of the others, and so long all of them together. Milliseconds. */
const TOOL_MS = 5000;
const ALL_MS = 10_000;

const LISTS: Readonly<Record<string, { readonly key: string; readonly capability: string }>> = {
  'tools/list': { key: 'tools', capability: 'tools' },
  'prompts/list': { key: 'prompts', capability: 'prompts' },
  'resources/list': { key: 'resources', capability: 'resources' },
  'resources/templates/list': { key: 'resourceTemplates', capability: 'resources' },
};

/** One tool, as a request that was taken apart goes to it. */
interface Part {
  readonly call: (route: Route) => Promise<Outcome>;
  readonly capabilities: JsonObject;
}

/** All tools at one path: names have their tool's in front. A tool that cannot be opened is left out, and `onAbsent` hears why. */
export function createMergedEndpoint(
  tools: () => ReadonlyMap<string, Endpoint>,
  onAbsent: (tool: string, reason: string) => void,
): Endpoint {
  async function modern(route: Route): Promise<Outcome> {
    const { method } = route;
    if (REMOVED.has(method)) return failure(CODE.methodNotFound, `Method not found: ${method}`);
    const parts = new Map([...tools()].map(([name, tool]) => [name, { call: tool.modern, capabilities: {} }]));
    if (method === 'server/discover') return discovered(await discoverAll(route));
    if (method === 'subscriptions/listen') return await listenAll(route, parts);
    if (LISTS[method] === undefined) return await dispatch(route, parts);
    const known = await discoverAll(route);
    const able = [...parts].map(([name, part]): [string, Part] => [
      name,
      { ...part, capabilities: objectOf(known.get(name)?.capabilities) },
    ]);
    const listed = await listAll(route, new Map(able));
    if ('error' in listed) return listed;
    return { result: { resultType: 'complete', ttlMs: 0, cacheScope: 'private', ...listed.result } };
  }

  async function discoverAll(route: Route): Promise<ReadonlyMap<string, JsonObject>> {
    const { caller, id, signal } = route;
    const { progressToken: _token, ...meta } = objectOf(route.params._meta);
    const asked = { caller, id, signal, method: 'server/discover', params: { _meta: meta }, notify: () => undefined };
    const found = new Map<string, JsonObject>();
    const all = inParallel(MOST_OPENING, tools(), async ([name, tool]) => {
      const outcome = await within(TOOL_MS, tool.modern(asked));
      if (outcome === undefined) onAbsent(name, `the tool "${name}" did not answer within ${TOOL_MS / 1000} s`);
      else if ('error' in outcome) onAbsent(name, outcome.error.message);
      else found.set(name, outcome.result);
    });
    await within(ALL_MS, all);
    return new Map([...tools().keys()].flatMap((name) => entryOf(found, name)));
  }

  /** Waits for nobody longer than it should: a tool that opens later is there from then on, and the client hears of it. */
  async function open(client: Client): Promise<Upstream> {
    const session = createMergedSession(client, [...tools().keys()]);
    const opening = inParallel(MOST_OPENING, tools(), ([name, tool]) =>
      within(TOOL_MS, session.add(name, openOne(name, tool, client))),
    );
    await within(ALL_MS, opening);
    return session.begin();
  }

  async function openOne(name: string, tool: Endpoint, client: Client): Promise<Upstream | undefined> {
    const notify = (notification: Notification): void => client.notify(renamed(name, notification));
    const upstream = await tool.open({ ...client, notify });
    if (!('error' in upstream)) return upstream;
    onAbsent(name, upstream.error.message);
    return undefined;
  }

  return { modern, open };
}

/** One session over all tools, as they open. */
interface MergedSession {
  /** Resolves when the tool is there or is not coming. */
  add(name: string, opening: Promise<Upstream | undefined>): Promise<void>;
  /** The client is answered now. */
  begin(): Upstream;
}

/** `names` in the order in which their tools are listed. */
function createMergedSession(client: Client, names: readonly string[]): MergedSession {
  const upstreams = new Map<string, Upstream>();
  const told: Notification[] = [];
  let hasBegun = false;
  let isClosed = false;

  async function add(name: string, opening: Promise<Upstream | undefined>): Promise<void> {
    const upstream = await opening;
    if (upstream === undefined) return;
    if (isClosed) {
      upstream.close();
      return;
    }
    upstreams.set(name, upstream);
    if (!hasBegun) return;
    for (const notification of told) upstream.tell(notification);
    for (const { key, capability } of Object.values(LISTS)) {
      if (key === 'resourceTemplates' || !isObject(objectOf(upstream.opened.capabilities)[capability])) continue;
      client.notify({ kind: 'notification', method: `notifications/${key}/list_changed`, params: {} });
    }
  }

  const inOrder = (): [string, Upstream][] => names.flatMap((name) => entryOf(upstreams, name));
  const parts = (): ReadonlyMap<string, Part> =>
    new Map(inOrder().map(([name, { call, opened }]) => [name, { call, capabilities: objectOf(opened.capabilities) }]));

  async function call(route: Route): Promise<Outcome> {
    const { method } = route;
    if (method === 'ping') return { result: {} };
    if (LISTS[method] !== undefined) return await listAll(route, parts());
    if (method !== 'logging/setLevel') return await dispatch(route, parts());
    const able = [...parts().values()].filter(({ capabilities }) => isObject(capabilities.logging));
    await Promise.all(able.map((part) => within(TOOL_MS, part.call(route))));
    return { result: {} };
  }

  function begin(): Upstream {
    hasBegun = true;
    const said = new Map(inOrder().map(([name, { opened }]) => [name, opened]));
    return {
      opened: {
        protocolVersion: agreedVersion(client.opening, { protocolVersion: NEWEST_LEGACY }),
        capabilities: mergedCapabilities(said.values()),
        serverInfo: BRIDGE,
        ...mergedInstructions(said),
      },
      call,
      tell(notification) {
        if (notification.method === 'notifications/initialized') told.push(notification);
        for (const upstream of upstreams.values()) upstream.tell(notification);
      },
      close() {
        isClosed = true;
        for (const upstream of upstreams.values()) upstream.close();
      },
    };
  }

  return { add, begin };
}

function discovered(said: ReadonlyMap<string, JsonObject>): Outcome {
  return {
    result: {
      resultType: 'complete',
      supportedVersions: [MODERN],
      capabilities: mergedCapabilities(said.values()),
      ...mergedInstructions(said),
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { [META.serverInfo]: BRIDGE },
    },
  };
}

/** What any of them can. */
function mergedCapabilities(all: Iterable<JsonObject>): JsonObject {
  const merged: Record<string, JsonObject> = {};
  for (const { capabilities } of all) {
    for (const [name, value] of Object.entries(objectOf(capabilities))) {
      if (name === 'tasks' || name === 'experimental') continue;
      const flags = name === 'extensions' ? tasksOnly(objectOf(value)) : trueOnly(objectOf(value));
      if (name !== 'extensions' || Object.keys(flags).length > 0) merged[name] = { ...merged[name], ...flags };
    }
  }
  return merged;
}

/** Of other extensions it is not known which of their names and ids lead back to their tool. */
function tasksOnly({ [TASKS]: tasks }: JsonObject): JsonObject {
  return tasks === undefined ? {} : { [TASKS]: tasks };
}

function trueOnly(flags: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== false));
}

function mergedInstructions(said: ReadonlyMap<string, JsonObject>): JsonObject {
  const parts = [...said].flatMap(([name, { instructions }]) =>
    typeof instructions === 'string' ? [`${name}:\n${instructions}`] : [],
  );
  return parts.length === 0 ? {} : { instructions: parts.join('\n\n') };
}

/** Sends a request about one thing to the tool that its name tells. */
async function dispatch(route: Route, parts: ReadonlyMap<string, Part>): Promise<Outcome> {
  const { method, params } = route;
  const target = targetOf(method, params);
  if (target === 'unknown') return failure(CODE.methodNotFound, `Method not found: ${method}`);
  const part = target === undefined ? undefined : parts.get(target.tool);
  if (target === undefined || part === undefined)
    return failure(CODE.invalidParams, `Unknown name: it is not one of a tool that is served here`, {
      ...(typeof params.uri === 'string' ? { uri: params.uri } : {}),
      ...(typeof params.name === 'string' ? { name: params.name } : {}),
    });
  const outcome = await part.call({
    ...route,
    params: target.params,
    notify: (notification) => route.notify(renamed(target.tool, notification)),
  });
  if ('error' in outcome) return outcome;
  return { result: renamedResult(target.tool, outcome.result) };
}

interface Target {
  readonly tool: string;
  readonly params: JsonObject;
}

function targetOf(method: string, params: JsonObject): Target | 'unknown' | undefined {
  switch (method) {
    case 'tools/call':
    case 'prompts/get': {
      const split = splitName(textOf(params.name));
      return split && { tool: split.tool, params: { ...params, name: split.name } };
    }
    case 'tasks/get':
    case 'tasks/update':
    case 'tasks/cancel': {
      const split = splitName(textOf(params.taskId));
      return split && { tool: split.tool, params: { ...params, taskId: split.name } };
    }
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe': {
      const split = splitUri(textOf(params.uri));
      return split && { tool: split.tool, params: { ...params, uri: split.name } };
    }
    case 'completion/complete': {
      const ref = objectOf(params.ref);
      const split = ref.type === 'ref/prompt' ? splitName(textOf(ref.name)) : splitUri(textOf(ref.uri));
      if (split === undefined) return undefined;
      const own = ref.type === 'ref/prompt' ? { ...ref, name: split.name } : { ...ref, uri: split.name };
      return { tool: split.tool, params: { ...params, ref: own } };
    }
    default:
      return 'unknown';
  }
}

async function listAll(route: Route, parts: ReadonlyMap<string, Part>): Promise<Outcome> {
  const list = LISTS[route.method];
  if (list === undefined) return failure(CODE.methodNotFound, `Method not found: ${route.method}`);
  const able = [...parts].filter(([, { capabilities }]) => isObject(capabilities[list.capability]));
  const lists = await Promise.all(able.map(([tool, part]) => within(TOOL_MS, listOne(route, tool, part, list.key))));
  return { result: { [list.key]: lists.flatMap((items) => items ?? []) } };
}

/** All pages of one tool's list; what it fails to list is left out. */
async function listOne(route: Route, tool: string, part: Part, key: string): Promise<JsonValue[]> {
  const items: JsonValue[] = [];
  let cursor: JsonValue | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { cursor: _own, ...params } = route.params;
    const outcome = await part.call({ ...route, params: cursor === undefined ? params : { ...params, cursor } });
    if ('error' in outcome) break;
    const listed = outcome.result[key];
    if (isList(listed)) items.push(...listed.map((item) => renamedItem(tool, objectOf(item))));
    cursor = outcome.result.nextCursor;
    if (cursor === undefined) break;
  }
  return items;
}

function renamedItem(tool: string, item: JsonObject): JsonObject {
  return {
    ...item,
    ...(typeof item.uri === 'string' ? { uri: joinUri(tool, item.uri) } : {}),
    ...(typeof item.uriTemplate === 'string' ? { uriTemplate: joinUri(tool, item.uriTemplate) } : {}),
    ...(typeof item.name === 'string' && item.uri === undefined && item.uriTemplate === undefined
      ? { name: joinName(tool, item.name) }
      : {}),
  };
}

/** URIs in a result lead back to the tool that they are of. */
function renamedResult(tool: string, result: JsonObject): JsonObject {
  return {
    ...result,
    ...(typeof result.taskId === 'string' ? { taskId: joinName(tool, result.taskId) } : {}),
    ...(isList(result.contents) ? { contents: result.contents.map((item) => withUri(tool, item)) } : {}),
    ...(isList(result.content) ? { content: result.content.map((item) => renamedBlock(tool, item)) } : {}),
    ...(isList(result.messages)
      ? {
          messages: result.messages.map((item) => {
            const message = objectOf(item);
            return { ...message, content: renamedBlock(tool, message.content ?? null) };
          }),
        }
      : {}),
  };
}

function renamedBlock(tool: string, block: JsonValue): JsonValue {
  if (!isObject(block)) return block;
  if (block.type === 'resource_link') return withUri(tool, block);
  return block.type === 'resource' ? { ...block, resource: withUri(tool, block.resource ?? null) } : block;
}

function withUri(tool: string, item: JsonValue): JsonValue {
  return isObject(item) && typeof item.uri === 'string' ? { ...item, uri: joinUri(tool, item.uri) } : item;
}

function renamed(tool: string, notification: Notification): Notification {
  const { method, params } = notification;
  if (method === 'notifications/resources/updated')
    return { ...notification, params: { ...params, uri: joinUri(tool, textOf(params.uri)) } };
  return typeof params.taskId === 'string' ? { ...notification, params: renamedResult(tool, params) } : notification;
}

/** One stream out of those of all tools: acknowledged once, with what any of them grants. */
async function listenAll(route: Route, parts: ReadonlyMap<string, Part>): Promise<Outcome> {
  const wanted = route.params.notifications;
  if (!isObject(wanted)) return failure(CODE.invalidParams, 'Invalid params: "notifications" is no object');
  const uris = isList(wanted.resourceSubscriptions) ? wanted.resourceSubscriptions.map(textOf) : [];
  const granted: Record<string, JsonValue> = {};
  const early: Notification[] = [];
  let isOpen = false;
  const waits = [...parts].map(([tool, part]) => {
    const own = uris.flatMap((uri) => splitUri(uri) ?? []).filter((split) => split.tool === tool);
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    const { resourceSubscriptions: _all, ...lists } = wanted;
    const notifications = own.length === 0 ? lists : { ...lists, resourceSubscriptions: own.map(({ name }) => name) };
    const ended = part.call({
      ...route,
      params: { ...route.params, notifications },
      notify(notification) {
        if (notification.method === 'notifications/subscriptions/acknowledged') {
          grant(tool, objectOf(notification.params.notifications));
          resolve();
        } else if (isOpen) route.notify(renamed(tool, notification));
        else early.push(renamed(tool, notification));
      },
    });
    return within(TOOL_MS, Promise.race([answered, ended]));
  });

  function grant(tool: string, notifications: JsonObject): void {
    for (const [name, value] of Object.entries(notifications)) {
      if (!isList(value)) granted[name] = value;
      else granted[name] = [...listOf(granted[name]), ...value.map((uri) => joinUri(tool, textOf(uri)))];
    }
  }

  await Promise.all(waits);
  const tag = { [META.subscription]: route.id };
  const params = withMeta({ notifications: granted }, tag);
  route.notify({ kind: 'notification', method: 'notifications/subscriptions/acknowledged', params });
  isOpen = true;
  for (const notification of early) route.notify(notification);
  if (Object.keys(granted).length > 0) await aborted(route.signal);
  return { result: { resultType: 'complete', _meta: tag } };
}

function entryOf<T>(map: ReadonlyMap<string, T>, key: string): [string, T][] {
  const value = map.get(key);
  return value === undefined ? [] : [[key, value]];
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return isList(value) ? value : [];
}
