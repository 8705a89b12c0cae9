import type { IncomingHttpHeaders } from 'node:http';
import { isObject, type JsonObject, type JsonValue } from '../policy/json.ts';
import { decodeHeader, mismatch } from '../relay/header-parameters.ts';
import { CODE, META, MODERN } from '../relay/protocol.ts';
import type { Caller, Endpoint } from '../relay/route.ts';
import { failure, metaOf, notificationLine, type Outcome, type Request, responseLine } from '../relay/rpc.ts';
import type { Reply } from './reply.ts';

/** The method whose header `Mcp-Name` repeats this key of the params. */
const NAMED: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** What is wrong with a request before any tool sees it: -32602, -32020 or -32022. Undefined: nothing. */
export function faultOf(request: Request, headers: IncomingHttpHeaders): Outcome | undefined {
  const version = headers['mcp-protocol-version'];
  const meta = metaOf(request.params);
  const claimed = meta[META.version];
  if (typeof claimed !== 'string') return lacking(META.version);
  if (!isObject(meta[META.capabilities])) return lacking(META.capabilities);
  if (version === undefined) return mismatch('MCP-Protocol-Version is missing');
  if (version !== claimed)
    return mismatch(`MCP-Protocol-Version does not match _meta, which says ${JSON.stringify(claimed)}`);
  if (version !== MODERN)
    return failure(CODE.unsupportedVersion, 'Unsupported protocol version', {
      supported: [MODERN],
      requested: claimed,
    });
  if (headers['mcp-method'] !== request.method) return mismatch('Mcp-Method does not match the method of the body');
  const key = NAMED[request.method];
  return key === undefined ? undefined : nameFault(headers['mcp-name'], request.params[key]);
}

function nameFault(header: string | string[] | undefined, name: JsonValue | undefined): Outcome | undefined {
  if (typeof name !== 'string') return undefined;
  if (typeof header !== 'string') return mismatch('Mcp-Name is missing');
  return decodeHeader(header) === name ? undefined : mismatch('Mcp-Name does not match the body');
}

function lacking(key: string): Outcome {
  return failure(CODE.invalidParams, `Invalid params: _meta lacks ${key}`);
}

/** The HTTP status that goes with an outcome (2026-07-28, Streamable HTTP). */
export function statusOf(outcome: Outcome): number {
  if ('result' in outcome) return 200;
  switch (outcome.error.code) {
    case CODE.methodNotFound:
      return 404;
    case CODE.headerMismatch:
    case CODE.missingCapability:
    case CODE.unsupportedVersion:
      return 400;
    default:
      return 200;
  }
}

/** Serves one request of MCP 2026-07-28. Closing the connection is its cancellation. */
export async function serveModern(
  endpoint: Endpoint,
  request: Request,
  caller: Caller,
  reply: Reply,
  signal: AbortSignal,
  headers: IncomingHttpHeaders,
): Promise<Outcome> {
  const outcome = await endpoint.modern({
    caller,
    id: request.id,
    method: request.method,
    params: request.params,
    signal,
    headers,
    notify: ({ method, params }) => void reply.event(notificationLine(method, params)),
  });
  reply.end(statusOf(outcome), responseLine(request.id, outcome));
  return outcome;
}

/** A message is of the modern era where it says so, in its body or by its header. */
export function isModern(
  params: JsonObject,
  version: string | string[] | undefined,
  legacy: readonly string[],
): boolean {
  if (metaOf(params)[META.version] !== undefined) return true;
  return typeof version === 'string' && !legacy.includes(version);
}
