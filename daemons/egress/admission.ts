import { type Authority, parseAuthority } from '../authority/authority.ts';
import type { RawHeaders } from '../http/headers.ts';
import type { Question, Refused } from './verdict.ts';

/** Where a connection of the agent leads. Outside a tunnel each request says for itself. */
export interface Tunnel {
  readonly scheme: 'http' | 'https';
  /** What CONNECT named. */
  readonly authority: Authority;
  /** The name in the TLS handshake, where it is not the host that CONNECT named. */
  readonly otherServerName: string | undefined;
  /** A Host that has been found to agree, letter for letter: the next request most likely says the same. */
  agreed: string | undefined;
}

/** A request as it arrived, framing dealt with. */
export interface Arrival {
  readonly method: string;
  /** The request target as sent (RFC 9112 3.2): a whole URI to the proxy, path and query in a tunnel. */
  readonly target: string;
  /** Host, or `:authority`; undefined in HTTP/1.0 without. */
  readonly host: string | undefined;
  readonly headers: RawHeaders;
  readonly kind: Question['kind'];
}

/** Either what is to be judged, or why it cannot be; then with the question as far as it is known. */
export type Admission =
  | { readonly kind: 'question'; readonly question: Question }
  | { readonly kind: 'refused'; readonly refusal: Refused; readonly question: Question | undefined };

/** What a path and query are made of: visible ASCII, no fragment (RFC 3986 3.3, 3.4). The rest is the policy's to read. */
const originForm = /^\/[\x21\x22\x24-\x7e]*$/;
const absoluteForm = /^(https?):\/\/([^/?#]*)([^#]*)$/i;

/** Finds out whom a request to the proxy itself is for: its target is a whole URI, and Host says the same. */
export function admitDirect(arrival: Arrival, longestTarget: number): Admission {
  if (arrival.target.length > longestTarget) return refused(tooLong(longestTarget), undefined);
  const parts = absoluteForm.exec(arrival.target);
  if (parts === null) {
    const reason = 'this is a proxy: send a whole http:// or https:// URI, or CONNECT host:port';
    return refused({ kind: 'refused', status: 400, code: 'not-a-proxy-request', reason }, undefined);
  }
  const [, protocol = '', named = '', rest = ''] = parts;
  const scheme = protocol.toLowerCase() === 'https' ? 'https' : 'http';
  const authority = parseAuthority(named, portOf(scheme));
  if (authority === undefined) return refused(unnamed('the URI'), undefined);
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  const question = {
    scheme,
    authority,
    method: arrival.method,
    target,
    headers: arrival.headers,
    kind: arrival.kind,
  } as const;
  if (!originForm.test(target)) return refused(badTarget, question);
  if (arrival.host !== undefined && arrival.host !== named && !isSame(arrival.host, authority, scheme)) {
    const reason = 'the Host header names another host than the URI';
    return refused({ kind: 'refused', status: 400, code: 'host-mismatch', reason }, question);
  }
  return { kind: 'question', question };
}

/** Finds out whether a request in a tunnel is for where the tunnel leads: CONNECT, the TLS server name and Host have to agree (RFC 9110 7.4). */
export function admitTunnelled(tunnel: Tunnel, arrival: Arrival, longestTarget: number): Admission {
  const { scheme, authority } = tunnel;
  const { method, target, headers, kind } = arrival;
  const question = { scheme, authority, method, target, headers, kind } as const;
  if (target.length > longestTarget) return refused(tooLong(longestTarget), undefined);
  if (!originForm.test(target)) return refused(badTarget, undefined);
  if (tunnel.otherServerName !== undefined) return refused(misdirected('the TLS server name'), question);
  if (arrival.host === undefined) return refused(unnamed('the request'), question);
  if (arrival.host !== tunnel.agreed) {
    if (!isSame(arrival.host, authority, scheme)) return refused(misdirected('the Host header'), question);
    tunnel.agreed = arrival.host;
  }
  return { kind: 'question', question };
}

export function portOf(scheme: 'http' | 'https'): number {
  return scheme === 'https' ? 443 : 80;
}

function isSame(host: string, authority: Authority, scheme: 'http' | 'https'): boolean {
  const other = parseAuthority(host, portOf(scheme));
  return other !== undefined && other.host === authority.host && other.port === authority.port;
}

function refused(refusal: Refused, question: Question | undefined): Admission {
  return { kind: 'refused', refusal, question };
}

const badTarget: Refused = {
  kind: 'refused',
  status: 400,
  code: 'bad-target',
  reason: 'the request target is not a path and query in visible ASCII without a fragment; percent-encode the rest',
};

function tooLong(limit: number): Refused {
  return {
    kind: 'refused',
    status: 414,
    code: 'target-too-long',
    reason: `the request target is longer than ${limit} bytes`,
  };
}

function unnamed(where: string): Refused {
  return { kind: 'refused', status: 400, code: 'bad-authority', reason: `${where} does not name a host and port` };
}

function misdirected(what: string): Refused {
  const reason = `${what} is not the host that CONNECT named; open a connection of its own to that host`;
  return { kind: 'refused', status: 421, code: 'misdirected', reason };
}
