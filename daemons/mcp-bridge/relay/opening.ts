import { isList, isObject, type JsonObject, objectOf } from '../policy/json.ts';
import type { Connection } from './connection.ts';
import { BRIDGE, LEGACY, META, MODERN, NEWEST_LEGACY } from './protocol.ts';
import { nowhere } from './route.ts';
import type { RpcError } from './rpc.ts';

/** How long a tool may take to start and say hello. Milliseconds. */
const OPENING_MS = 30_000;

export type Opened =
  | { readonly ok: true; readonly said: JsonObject }
  | { readonly ok: false; readonly error: RpcError };

/** Params of a request of 2026-07-28 that the bridge makes for itself. */
export const OWN_PARAMS: JsonObject = {
  _meta: { [META.version]: MODERN, [META.clientInfo]: BRIDGE, [META.capabilities]: {} },
};

/** Asks a tool that has just been started whether it speaks MCP 2026-07-28. */
export async function discover(connection: Connection): Promise<Opened> {
  const outcome = await connection.request({
    method: 'server/discover',
    params: OWN_PARAMS,
    signal: AbortSignal.timeout(OPENING_MS),
    onNotification: nowhere,
    timeout: undefined,
  });
  if ('error' in outcome) return { ok: false, error: outcome.error };
  const versions = outcome.result.supportedVersions;
  if (isList(versions) && versions.includes(MODERN)) return { ok: true, said: outcome.result };
  return { ok: false, error: { code: -32600, message: `It does not speak MCP ${MODERN}` } };
}

/** The handshake of the legacy era. `opening` are the params of `initialize`. */
export async function initialize(connection: Connection, opening: JsonObject): Promise<Opened> {
  const outcome = await connection.request({
    method: 'initialize',
    params: opening,
    signal: AbortSignal.timeout(OPENING_MS),
    onNotification: nowhere,
    timeout: undefined,
  });
  if ('error' in outcome) return { ok: false, error: outcome.error };
  return { ok: true, said: outcome.result };
}

/** What the bridge says where it opens a legacy tool for itself; `capabilities` are those of the clients that it serves over it. */
export function openingWith(capabilities: JsonObject): JsonObject {
  return { protocolVersion: NEWEST_LEGACY, capabilities, clientInfo: BRIDGE };
}

/** What of a client's capabilities a tool may use. */
export function usableCapabilities(declared: JsonObject): JsonObject {
  const usable = ['elicitation', 'sampling', 'roots', 'extensions', 'experimental'];
  return Object.fromEntries(usable.flatMap((name) => (isObject(declared[name]) ? [[name, declared[name]]] : [])));
}

/** The revision of a session: what the client wants, where the tool knows one as new. */
export function agreedVersion(opening: JsonObject, said: JsonObject): string {
  const known: readonly string[] = LEGACY;
  const wanted = known.indexOf(String(opening.protocolVersion));
  const offered = known.indexOf(String(said.protocolVersion));
  const agreed = wanted < 0 ? offered : Math.min(wanted, offered < 0 ? wanted : offered);
  return known[agreed] ?? NEWEST_LEGACY;
}

/** Whether a tool says that it can do `name`. */
export function can(said: JsonObject, name: string): boolean {
  return isObject(objectOf(said.capabilities)[name]);
}
