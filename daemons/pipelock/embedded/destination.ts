import { type Authority, formatAuthority, parseAuthority } from '../../authority/authority.ts';

export type Scheme = 'http' | 'https';

/** Where a request wants to go. */
export interface Destination {
  readonly scheme: Scheme;
  readonly authority: Authority;
  /** Path and query, as they came. */
  readonly target: string;
  /** All of it, for the checks and the log. */
  readonly url: string;
}

/** No space and no control character: decoded from `/ws?url=`, they would end a line of the log, or be dropped where the URL is used. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there.
const ABSOLUTE = /^(https?|wss?):\/\/([^/?#@\\]+)([/?][^#\u0000-\u0020\u007f]*)?$/i;
const SCHEMES: Readonly<Record<string, Scheme>> = { http: 'http', https: 'https', ws: 'http', wss: 'https' };

/** Reads an absolute URI, as a request line (RFC 9112, 3.2.2) or `/ws?url=` has it. Undefined for all but http, https, ws and wss without a user. */
export function parseDestination(uri: string): Destination | undefined {
  const [, name = '', host = '', rest = ''] = ABSOLUTE.exec(uri) ?? [];
  const scheme = SCHEMES[name.toLowerCase()];
  if (scheme === undefined) return undefined;
  const authority = parseAuthority(host, defaultPort(scheme));
  if (authority === undefined) return undefined;
  return destinationOf(scheme, authority, rest.startsWith('/') ? rest : `/${rest}`);
}

/** The destination of a CONNECT: pipelock judges it as the root of an https URL. */
export function tunnelDestination(target: string): Destination | undefined {
  const authority = parseAuthority(target, 443);
  return authority && destinationOf('https', authority, '/');
}

/** The same place with another path and query. */
export function withTarget({ scheme, authority }: Destination, target: string): Destination {
  return destinationOf(scheme, authority, target);
}

function destinationOf(scheme: Scheme, authority: Authority, target: string): Destination {
  const host = formatAuthority(authority, defaultPort(scheme));
  return { scheme, authority, target, url: `${scheme}://${host}${target}` };
}

export function defaultPort(scheme: Scheme): number {
  return scheme === 'http' ? 80 : 443;
}
