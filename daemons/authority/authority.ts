import { isIPv4 } from 'node:net';
import { domainToASCII } from 'node:url';

/**
 * Where a request goes: a host in its one canonical spelling, and a port. Two spellings of one place give equal authorities,
 * and what has no canonical spelling has no authority.
 */
export interface Authority extends Host {
  readonly port: number;
}

export interface Host {
  /** Lower-case ASCII (IDNA A-labels) without a trailing dot; IPv4 in dotted decimal; IPv6 compressed (RFC 5952) without brackets. */
  readonly host: string;
  readonly isAddress: boolean;
}

/**
 * Reads `host`, `host:` or `host:port` as the authority of a URL is read (RFC 3986, 3.2; WHATWG URL, "host parsing"), without a
 * user. `defaultPort` (1 to 65535) holds where no port is written. Undefined for what names no one place. Never throws.
 */
export function parseAuthority(text: string, defaultPort: number): Authority | undefined {
  if (text.length > LONGEST_TEXT) return undefined;
  const parts = AUTHORITY.exec(text);
  const host = parseHost(parts?.[1] ?? '');
  const digits = parts?.[2] ?? '';
  const port = digits === '' ? defaultPort : Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { ...host, port };
}

/** Reads a host without a port: a name, an IPv4 address in any spelling, or an IPv6 address in brackets. Never throws. */
export function parseHost(text: string): Host | undefined {
  if (text.length > LONGEST_TEXT) return undefined;
  if (text.startsWith('[')) return parseIPv6(text);
  if (NOT_IN_A_NAME.test(text)) return undefined;
  const ascii = domainToASCII(text);
  if (isIPv4(ascii)) return { host: ascii, isAddress: true };
  const host = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  const isName = host.length <= LONGEST_NAME && host.split('.').every((label) => LABEL.test(label));
  return isName ? { host, isAddress: false } : undefined;
}

/** `host:port`, IPv6 in brackets. The port is left out where it is `impliedPort`, as in a Host header. */
export function formatAuthority(authority: Authority, impliedPort?: number): string {
  const host = formatHost(authority.host);
  return authority.port === impliedPort ? host : `${host}:${authority.port}`;
}

/** A canonical host as it stands in a URL: IPv6 in brackets. */
export function formatHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Longer than any name in any spelling: a label of one character takes at most a few when it is written in Unicode. */
const LONGEST_TEXT = 1024;
/** RFC 1035, 2.3.4: 255 octets with the length of each label and of the root. */
const LONGEST_NAME = 253;
const AUTHORITY = /^(\[[^[\]]*\]|[^:[\]]*)(?::([0-9]*))?$/;
/** RFC 1123, 2.1, and the underscore that service names use. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** What could end the host, hide another one in it, or be dropped by a URL parser without a word. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: a host parser drops some of them.
const NOT_IN_A_NAME = /[\u0000-\u0020\u007f-\u009f%/:<>?@[\\\]^|#*]/;

function parseIPv6(text: string): Host | undefined {
  if (!IN_BRACKETS.test(text)) return undefined;
  const host = URL.parse(`http://${text}/`)?.hostname.slice(1, -1);
  if (host === undefined) return undefined;
  return { host: unmapped(host) ?? host, isAddress: true };
}

/** No zone: it names an interface of one machine (RFC 6874), not a place in the network. */
const IN_BRACKETS = /^\[[0-9a-fA-F:.]+\]$/;

/** The IPv4 address of an IPv4-mapped one (RFC 4291, 2.5.5.2), which a socket treats as the same place. */
function unmapped(host: string): string | undefined {
  const words = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (words === null) return undefined;
  const high = Number.parseInt(words[1] ?? '', 16);
  const low = Number.parseInt(words[2] ?? '', 16);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
