import type { PipelockConfig } from '../pipelock-config.ts';
import { type Block, blocked } from './block.ts';
import type { Destination } from './destination.ts';

/** The checks on a URL that need nothing but the URL. Pure. */
export function checkUrl(destination: Destination, config: PipelockConfig): Block | undefined {
  const { url, target, authority } = destination;
  const longest = config.fetch_proxy.monitoring.max_url_length;
  if (url.length > longest) return blocked('length', `URL length ${url.length} exceeds maximum ${longest}`);
  if (ENCODED_LINE_BREAK.test(url)) return blocked('crlf', 'encoded CR or LF in URL');
  if (UP_A_DIRECTORY.test(target.split('?', 1)[0] ?? '')) {
    return blocked('path_traversal', 'path traversal sequence in URL');
  }
  if (!isListed(authority.host, config.api_allowlist)) {
    return blocked('allowlist', `domain not in allowlist: ${authority.host}`);
  }
  return undefined;
}

/** Once or twice percent-encoded: a server that decodes it may read a new header line. */
const ENCODED_LINE_BREAK = /%(25)?0[ad]/i;
/** A `..` between separators, each plain or encoded. */
const UP_A_DIRECTORY = /(\/|\\|%2f|%5c)(\.|%2e){2}(\/|\\|%2f|%5c|$)/i;

/** Whether a pattern of the list names the host; `*.x` is every name below x, and x (pipelock's MatchDomain). */
export function isListed(host: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    if (!wanted.startsWith('*.')) return wanted === host;
    return host === wanted.slice(2) || host.endsWith(wanted.slice(1));
  });
}
