import { endToEnd } from '../http/headers.ts';

/** A field name (RFC 9110, 5.6.2). */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Headers in which clients say who they are. */
const CREDENTIAL_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'x-auth-token',
  'private-token',
  'job-token',
]);

/** Headers that are the proxy's own, or that would let a credential decide on framing or on the host. */
const PROXY_HEADERS: ReadonlySet<string> = new Set(['host', 'content-length', 'content-type', 'expect', 'trailer']);

/** Headers by which a framework takes another method than that of the request line. */
export const METHOD_OVERRIDES: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
]);

/** Headers by which a server takes another path or host than that of the request. A client at the beginning of a chain has no use for them. */
export const REWRITING_HEADERS: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-host',
  'x-forwarded-server',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-scheme',
  'x-forwarded-prefix',
  'x-forwarded-path',
  'x-forwarded-uri',
  'x-host',
  'x-original-host',
  'x-original-uri',
  'x-original-url',
  'x-http-host-override',
  'x-rewrite-url',
  'x-rewrite-uri',
]);

/** Headers that say where a request ends, how its body is written and whom it is for: egress reads or makes them by their proper names. */
export const FRAMING_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'expect',
  'host',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whether a name is no header of framing here and may be one to a server that takes other signs for `-`: a way to hide a request in another. */
export function isMisspeltFraming(name: string): boolean {
  return FRAMING_HEADERS.has(foldedName(name)) && !FRAMING_HEADERS.has(name.toLowerCase());
}

/**
 * Headers that name a second path, to write to or to read from, with the rights of the request: WebDAV (RFC 4918, 10.3), OpenStack Swift, and
 * the copies and renames of object stores (S3, Google, Azure and their like). By their folded names.
 */
export const SECOND_PATH = /^(?:destination|x-copy-from|x-[a-z]+-(?:copy|rename)-source)$/;

/**
 * Header names as the strangest server reads them: without case, and CGI (RFC 3875, 4.1.18) makes `-` and `_` the same, in some
 * servers every other sign too.
 */
export function foldedName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}

/** Why a route cannot depend on a header that the agent sends, or undefined. `name` in lower case. */
export function headerMatchFault(name: string): string | undefined {
  if (CREDENTIAL_HEADERS.has(name))
    return 'holds a credential: egress takes those from nobody, so no route can ask for one';
  if (name === 'host') return 'is what "host" of the route is about';
  if (isOfOneHop(name) || name === 'content-length' || name === 'expect') {
    return 'belongs to one connection and is made anew by egress';
  }
  if (METHOD_OVERRIDES.has(foldedName(name))) return 'is judged by "methods" of the route';
  return REWRITING_HEADERS.has(foldedName(name)) ? 'is refused on every route' : undefined;
}

/** Why a credential cannot go out in a header, or undefined. `name` in lower case. */
export function authHeaderFault(name: string): string | undefined {
  if (name !== 'proxy-authorization' && !isOfOneHop(name) && !PROXY_HEADERS.has(name)) {
    return METHOD_OVERRIDES.has(foldedName(name)) || REWRITING_HEADERS.has(foldedName(name))
      ? 'changes what a request means'
      : undefined;
  }
  return 'is made by the proxy itself';
}

function isOfOneHop(name: string): boolean {
  return name === 'trailer' || endToEnd([name, '']).length === 0;
}
