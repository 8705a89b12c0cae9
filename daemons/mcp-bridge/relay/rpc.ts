import { isList, isObject, type JsonObject, type JsonValue, objectOf, parseJson } from '../policy/json.ts';
import { CODE } from './protocol.ts';

/** JSON-RPC 2.0 as MCP uses it: an id is a text or an integer, params are an object. */
export type Id = string | number;

export interface Request {
  readonly kind: 'request';
  readonly id: Id;
  readonly method: string;
  readonly params: JsonObject;
}

export interface Notification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject;
}

export interface Response {
  readonly kind: 'response';
  readonly id: Id;
  readonly outcome: Outcome;
}

/** How a request ended. */
export type Outcome = { readonly result: JsonObject } | { readonly error: RpcError };

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: JsonValue;
}

/** No message: what to answer, and to which id where one can be read. */
export interface Malformed {
  readonly kind: 'malformed';
  readonly id: Id | undefined;
  readonly error: RpcError;
}

export type Message = Request | Notification | Response;

/** An outcome that is an error. */
export function failure(code: number, message: string, data?: JsonValue): { readonly error: RpcError } {
  return { error: data === undefined ? { code, message } : { code, message, data } };
}

/** Reads one message out of a text. Never throws. */
export function readMessage(text: string): Message | Malformed {
  const value = parseExact(text);
  if (value === undefined) return malformed(undefined, CODE.parse, 'Parse error: the body is not JSON');
  if (isList(value))
    return malformed(undefined, CODE.invalidRequest, 'Invalid request: batches are not served; send one message');
  if (!isObject(value)) return malformed(undefined, CODE.invalidRequest, 'Invalid request: a message is an object');
  return classify(value);
}

/** Says what a parsed message is. */
export function classify(value: JsonObject): Message | Malformed {
  const id = isId(value.id) ? value.id : undefined;
  if (value.jsonrpc !== '2.0') return malformed(id, CODE.invalidRequest, 'Invalid request: "jsonrpc" is not "2.0"');
  if (typeof value.method === 'string') {
    if (value.params !== undefined && !isObject(value.params))
      return malformed(id, CODE.invalidRequest, 'Invalid request: "params" is not an object');
    const params = objectOf(value.params);
    if (value.id === undefined) return { kind: 'notification', method: value.method, params };
    if (id === undefined)
      return malformed(undefined, CODE.invalidRequest, 'Invalid request: "id" is no text and no integer');
    return { kind: 'request', id, method: value.method, params };
  }
  if (id === undefined) return malformed(undefined, CODE.invalidRequest, 'Invalid request: neither a method nor an id');
  if (isObject(value.result)) return { kind: 'response', id, outcome: { result: value.result } };
  if (isObject(value.error)) return { kind: 'response', id, outcome: { error: errorOf(value.error) } };
  return malformed(id, CODE.invalidRequest, 'Invalid request: neither "method" nor "result" nor "error"');
}

/** A message as one line of JSON. */
export function requestLine(id: Id, method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

export function notificationLine(method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params });
}

export function responseLine(id: Id | undefined, outcome: Outcome): string {
  return JSON.stringify({ jsonrpc: '2.0', id, ...outcome });
}

/** `params._meta`, or an empty one. */
export function metaOf(params: JsonObject): JsonObject {
  return objectOf(params._meta);
}

/** The params with these keys in `_meta`; a key of undefined is taken out. */
export function withMeta(params: JsonObject, keys: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  const meta: Record<string, JsonValue> = { ...metaOf(params) };
  for (const [key, value] of Object.entries(keys)) {
    if (value === undefined) delete meta[key];
    else meta[key] = value;
  }
  return { ...params, _meta: meta };
}

export function isId(value: JsonValue | undefined): value is Id {
  return typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value));
}

/** An integer longer than a double holds, perhaps inside a string. */
export const INEXACT = /\d{16}/;

/**
 * JSON whose integers are written out again as they came, also beyond 2^53. Never throws.
 */
export function parseExact(text: string): JsonValue | undefined {
  if (!INEXACT.test(text)) return parseJson(text);
  try {
    return JSON.parse(text, keepSource);
  } catch {
    return undefined;
  }
}

/** ECMAScript's `JSON.rawJSON`, which the library of the compiler does not know yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): JsonValue };

function keepSource(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  const isInexact =
    typeof value === 'number' && source !== undefined && /^-?\d{16,}$/.test(source) && !Number.isSafeInteger(value);
  return isInexact ? rawJSON(source) : value;
}

function malformed(id: Id | undefined, code: number, message: string): Malformed {
  return { kind: 'malformed', id, error: { code, message } };
}

function errorOf(error: JsonObject): RpcError {
  const code = typeof error.code === 'number' && Number.isInteger(error.code) ? error.code : CODE.internal;
  const message =
    typeof error.message === 'string' ? error.message : 'The tool answered with an error without a message';
  return error.data === undefined ? { code, message } : { code, message, data: error.data };
}
