import { without } from '../http/headers.ts';
import { FRAMING_HEADERS, foldedName, METHOD_OVERRIDES, REWRITING_HEADERS, SECOND_PATH } from '../routes/headers.ts';
import { authHeaderOf, injectableHeaders } from '../routes/listing.ts';
import type { Route, Routes } from '../routes/schema.ts';
import type { RawHeaders } from './verdict.ts';

/** What goes out in place of the credentials of the client. */
export type Injection =
  | { readonly ok: true; readonly headers: RawHeaders }
  /** The route wants a credential that is not there; the name is that of its slot. */
  | { readonly ok: false; readonly missing: string };

/** Folded names of the headers that egress alone may send: they are taken from every request, also where nothing is put in. */
export function ownHeaders(routes: Routes): ReadonlySet<string> {
  return new Set(injectableHeaders(routes).map(foldedName));
}

/** The headers of a client without those in `own`, and with the credential of `route` where it has one. */
export function inject(
  headers: RawHeaders,
  route: Route,
  tokens: ReadonlyMap<string, string>,
  own: ReadonlySet<string>,
): Injection {
  const kept = withoutOwn(headers, own);
  if (route.token_env === undefined) return { ok: true, headers: kept };
  const token = tokens.get(route.token_env);
  if (token === undefined) return { ok: false, missing: route.token_env };
  return { ok: true, headers: [...kept, authHeaderOf(route), credential(token, route.auth_scheme)] };
}

/**
 * The trailers of a client without those in `own`, and without what would change a request that has been judged: some servers make
 * headers of them (RFC 9110, 6.5.1).
 */
export function harmlessTrailers(trailers: RawHeaders, own: ReadonlySet<string>): RawHeaders {
  const changes = (name: string) => CHANGING.some((names) => names.has(name)) || SECOND_PATH.test(name);
  return withoutFolded(trailers, (name) => isOwn(name, own) || changes(name));
}

const CHANGING = [METHOD_OVERRIDES, REWRITING_HEADERS, FRAMING_HEADERS];

/** The headers of a client without those that egress alone may send. */
function withoutOwn(headers: RawHeaders, own: ReadonlySet<string>): RawHeaders {
  return withoutFolded(headers, (name) => isOwn(name, own));
}

function isOwn(name: string, own: ReadonlySet<string>): boolean {
  return own.has(name) || name.startsWith(TO_PIPELOCK);
}

/** The headers without those whose folded name is meant. */
function withoutFolded(headers: RawHeaders, isMeant: (folded: string) => boolean): RawHeaders {
  const dropped = new Set<string>();
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? '';
    if (isMeant(foldedName(name))) dropped.add(name.toLowerCase());
  }
  return dropped.size === 0 ? headers : without(headers, dropped);
}

/** With headers of this name a client tells pipelock who it is; an agent has no say in that. */
const TO_PIPELOCK = 'x-pipelock-';

/** RFC 9110, 11.4. Basic takes `user:password` in base64 (RFC 7617), or as it is where that was done before. */
function credential(token: string, scheme: string | undefined): string {
  if (scheme === undefined) return token;
  const encodes = scheme.toLowerCase() === 'basic' && token.includes(':');
  return `${scheme} ${encodes ? Buffer.from(token).toString('base64') : token}`;
}
