import type { RawHeaders } from './verdict.ts';

/** What of git a request speaks, as a refusal names it. */
export type GitUse = 'push' | 'fetch' | 'Git LFS' | 'git';

/**
 * What of git's HTTP protocols a request speaks: smart (gitprotocol-http), dumb (gitrepository-layout) or Git LFS (its batch and
 * lock API); undefined for anything else. The path is looked at in its plainest spelling, so that no encoding hides it.
 */
export function gitUseOf(target: string, headers: RawHeaders): GitUse | undefined {
  const [path = '', query = ''] = splitOnce(target, '?');
  const plain = plainest(path);
  return (
    usePerQuery(decoded(query).toLowerCase()) ??
    usePerPath(plain) ??
    usePerPath(splitOnce(plain, '?')[0]) ??
    usePerHeaders(headers)
  );
}

/** One line for the agent: what was refused and where to go instead. */
export function gitRefusal(use: GitUse): string {
  const what = use === 'git' ? 'git over HTTP' : use === 'Git LFS' ? 'Git LFS over HTTP' : `git ${use} over HTTP`;
  return `${what} goes around git-gate and is refused; use the remote http://git-gate:9420/<name>.git instead`;
}

const SERVICE_PATHS: readonly (readonly [RegExp, GitUse])[] = [
  [/\/git-receive-pack$/, 'push'],
  [/\/git-upload-(pack|archive)$/, 'fetch'],
  [/\/info\/lfs(\/|$)/, 'Git LFS'],
];

const DUMB_PATHS: readonly RegExp[] = [
  /\/info\/refs$/,
  /\/objects\/info\/(packs|alternates|http-alternates|commit-graph.*)$/,
  /\/objects\/pack\/pack-[\da-f]{40,64}\.(pack|idx|rev|bitmap)$/,
  /\/objects\/[\da-f]{2}\/[\da-f]{38,62}$/,
  /\.git\/(head|config|packed-refs|refs\/.*)$/,
];

function usePerPath(path: string): GitUse | undefined {
  const service = SERVICE_PATHS.find(([pattern]) => pattern.test(path));
  if (service !== undefined) return service[1];
  return DUMB_PATHS.some((pattern) => pattern.test(path)) ? 'git' : undefined;
}

function usePerQuery(query: string): GitUse | undefined {
  const service = /(?:^|[&;])service=git-([a-z-]+)/.exec(query)?.[1];
  if (service === undefined) return undefined;
  return service.startsWith('receive') ? 'push' : 'fetch';
}

/** A server speaks smart HTTP or LFS only with a client that names these types (gitprotocol-http; Git LFS API). */
function usePerHeaders(headers: RawHeaders): GitUse | undefined {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]?.toLowerCase() ?? '';
    const value = headers[at + 1]?.toLowerCase() ?? '';
    if (name === 'git-protocol') return 'git';
    if (name !== 'content-type' && name !== 'accept') continue;
    if (value.includes('application/x-git-receive-pack')) return 'push';
    if (value.includes('application/x-git-upload-pack')) return 'fetch';
    if (value.includes('application/vnd.git-lfs')) return 'Git LFS';
  }
  return undefined;
}

/** Lower case, decoded, with single slashes, without path parameters, dot segments and a slash at the end. */
function plainest(path: string): string {
  const kept: string[] = [];
  for (const segment of decoded(path).toLowerCase().replaceAll('\\', '/').split('/')) {
    const name = segment.replace(/;.*$/, '').trim();
    if (name === '..') kept.pop();
    else if (name !== '' && name !== '.') kept.push(name);
  }
  return `/${kept.join('/')}`;
}

/** As often as a chain of servers might decode. What is encoded more often than that is plain to nobody. */
const MOST_DECODINGS = 5;

function decoded(text: string): string {
  let plain = text;
  for (let round = 0; round < MOST_DECODINGS && plain.includes('%'); round += 1) {
    plain = plain.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return plain;
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
