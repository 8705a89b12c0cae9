import { isIP } from 'node:net';

/** By which names, and from which web pages, the TCP listener may be reached. */
export interface AllowList {
  /** Names without a port, beside addresses and private names. */
  readonly hosts: readonly string[];
  /** Origins as a browser sends them. */
  readonly origins: readonly string[];
}

interface Headers {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

/**
 * A web page must not reach the TCP listener through its visitor's browser. A page of another origin sends `Origin`; a page
 * that rebinds its own name to this address (DNS rebinding) sends that name as `Host`. So an `Origin` that is not listed is refused,
 * and `Host` must be an address, a name that nobody can register in the public DNS, or listed. Returns what is wrong, or
 * `undefined`.
 */
export function browserFault({ host, origin }: Headers, allowed: AllowList): string | undefined {
  if (origin !== undefined && !isListedOrigin(origin, allowed))
    return 'a request with an Origin header is not answered; use a client that is no browser';
  if (host === undefined) return 'the request has no Host header; send one';
  const name = hostName(host);
  if (isIP(name) !== 0 || isPrivateName(name) || allowed.hosts.some((own) => own.toLowerCase() === name))
    return undefined;
  return `the host name "${host.slice(0, 100)}" is not one of this server; use its address`;
}

/** The web page's origin is one that the bundle names, there with the port of its scheme or without it. */
export function isListedOrigin(origin: string | undefined, { origins }: AllowList): origin is string {
  return origin !== undefined && origins.some((own) => (URL.parse(own)?.origin ?? own) === origin.toLowerCase());
}

/** What a browser has to read before it shows an answer to a page of this origin (Fetch Standard, CORS protocol). */
export function crossOriginHeaders(origin: string): Readonly<Record<string, string>> {
  return { 'access-control-allow-origin': origin, vary: 'Origin' };
}

/** The answer to a browser that asks beforehand what such a page may send. */
export function preflightHeaders(origin: string): Readonly<Record<string, string>> {
  return {
    ...crossOriginHeaders(origin),
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': 'authorization, content-type, last-event-id',
    'access-control-max-age': '600',
  };
}

function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}

/** A single label (a Compose or Kubernetes service), or a name under a suffix that is reserved for private use (RFC 6761, RFC 6762, ICANN's .internal). */
function isPrivateName(name: string): boolean {
  return /^[a-z0-9_-]+$/.test(name) || /^[a-z0-9_.-]+\.(localhost|local|internal|test|svc)$/.test(name);
}
