/** Where an upstream repository is, taken apart. No part of it was ever a credential: those are refused in a URL. */
export type Upstream =
  | { readonly kind: 'ssh'; readonly url: string; readonly place: string; readonly host: string; readonly port: number }
  | { readonly kind: 'https'; readonly url: string; readonly place: string }
  | { readonly kind: 'file'; readonly url: string; readonly place: string };

/** `place` is equal for two spellings of one repository. */
export type ParsedUpstream =
  | { readonly ok: true; readonly upstream: Upstream }
  | { readonly ok: false; readonly message: string };

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;
/** What a path of a repository is made of. Nothing here means anything to a shell, to ssh, or to git's own parser of URLs. */
const PATH = /^[A-Za-z0-9._~/+@-]+$/;
/** git's short form of an ssh address (gitglossary(7), git-clone(1) "GIT URLS"). */
const SCP_LIKE = /^([^@/:]+)@(\[[^\]]+\]|[^:/[\]]+):(.*)$/;

/** Reads the address of an upstream. The message continues the value. */
export function parseUpstream(url: string): ParsedUpstream {
  const scp = url.includes('://') ? null : SCP_LIKE.exec(url);
  if (scp !== null) {
    const [, user = '', host = '', path = ''] = scp;
    // Kept as it is: a path without a leading slash counts from the user's home there, which ssh:// cannot say everywhere.
    return ssh({ user, host, port: '', path: path.startsWith('/') ? path : `/${path}` }, url);
  }
  const parts = /^([a-z]+):\/\/([^/]*)(\/.*)$/.exec(url);
  if (parts === null) return refused('is not an address of a repository; write "ssh://git@host/path.git"');
  const [, scheme = '', authority = '', path = ''] = parts;
  if (scheme === 'file') return file(authority, path);
  const at = authority.lastIndexOf('@');
  const user = authority.slice(0, Math.max(at, 0));
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(authority.slice(at + 1)) ?? [];
  if (scheme === 'ssh') return ssh({ user, host, port, path });
  if (scheme === 'https') return https({ user, host, port, path });
  return refused(`has the scheme "${scheme}"; use ssh://, https:// or file:///`);
}

interface Remote {
  readonly user: string;
  readonly host: string;
  readonly port: string;
  readonly path: string;
}

function ssh({ user, host, port, path }: Remote, scpLike?: string): ParsedUpstream {
  if (user.includes(':')) return refused(HOLDS_PASSWORD);
  if (!USER.test(user)) return refused('names no user; write "ssh://git@host/path.git"');
  const fault = faultOfHost(host, port) ?? faultOfPath(path);
  if (fault !== undefined) return refused(fault);
  const number = port === '' ? 22 : Number(port);
  const url = scpLike ?? `ssh://${user}@${host}:${number}${path}`;
  return { ok: true, upstream: { kind: 'ssh', url, place: placeOf(host, path), host: bare(host), port: number } };
}

function https({ user, host, port, path }: Remote): ParsedUpstream {
  if (user !== '') return refused(HOLDS_PASSWORD);
  const fault = faultOfHost(host, port) ?? faultOfPath(path);
  if (fault !== undefined) return refused(fault);
  const url = `https://${host.toLowerCase()}${port === '' ? '' : `:${Number(port)}`}${path}`;
  return { ok: true, upstream: { kind: 'https', url, place: placeOf(host, path) } };
}

function file(authority: string, path: string): ParsedUpstream {
  if (authority !== '') return refused('names a host; a local mirror is "file:///absolute/path.git"');
  const fault = faultOfPath(path);
  if (fault !== undefined) return refused(fault);
  return { ok: true, upstream: { kind: 'file', url: `file://${path}`, place: placeOf('', path) } };
}

/** One repository is one place whatever the protocol, the port or the user, and with or without `.git`. */
function placeOf(host: string, path: string): string {
  const plain = path
    .replace(/\/+/g, '/')
    .replace(/\/$/, '')
    .replace(/\.git$/, '');
  return `${bare(host)}${host === '' ? plain : plain.toLowerCase()}`;
}

function bare(host: string): string {
  return host
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

function faultOfHost(host: string, port: string): string | undefined {
  if (!HOST.test(host)) return 'has no usable host name';
  if (port !== '' && (Number(port) < 1 || Number(port) > 65_535)) return `has the port ${port}; ports are 1 to 65535`;
  return undefined;
}

function faultOfPath(path: string): string | undefined {
  if (path.length > 1024 || !PATH.test(path))
    return 'has a path with other characters than letters, digits and "._~/+@-"';
  const segments = path.split('/');
  if (segments.includes('..') || segments.includes('.')) return 'has "." or ".." in its path';
  if (segments.some((segment) => segment.startsWith('-'))) return 'has a part of its path that begins with "-"';
  return segments.every((segment) => segment === '') ? 'names no repository' : undefined;
}

const HOLDS_PASSWORD = 'holds a user or a password; put the token into a secret file and name that under "token"';

function refused(message: string): ParsedUpstream {
  return { ok: false, message };
}
