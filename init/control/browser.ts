import { isIP } from 'node:net';

/**
 * A web page must not reach the TCP listener through its visitor's browser. A page of another origin sends `Origin`; a page
 * that rebinds its own name to this address (DNS rebinding) sends that name as `Host`. So `Origin` is refused, and `Host`
 * must be an address or a name that nobody can register in the public DNS. Returns what is wrong, or `undefined`.
 */
export function browserFault(
  headers: { readonly host?: string | undefined; readonly origin?: string | undefined },
  ownName: string | undefined,
): string | undefined {
  if (headers.origin !== undefined)
    return 'a request with an Origin header is not answered; use a client that is no browser';
  if (headers.host === undefined) return 'the request has no Host header; send one';
  const name = hostName(headers.host);
  if (isIP(name) !== 0 || isPrivateName(name) || name === ownName?.toLowerCase()) return undefined;
  return `the host name "${headers.host.slice(0, 100)}" is not one of this server; use its address`;
}

function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}

/** A single label (a Compose or Kubernetes service), or a name under a suffix that is reserved for private use (RFC 6761, RFC 6762, ICANN's .internal). */
function isPrivateName(name: string): boolean {
  return /^[a-z0-9_-]+$/.test(name) || /^[a-z0-9_.-]+\.(localhost|local|internal|test|svc)$/.test(name);
}
