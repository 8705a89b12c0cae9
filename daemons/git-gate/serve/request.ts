import { repoNameOf } from './repo-name.ts';

/** The two things that a client can ask git for. */
export type Service = 'git-upload-pack' | 'git-receive-pack';

/** What a request to the smart HTTP server asks for (gitprotocol-http(5)). */
export type HttpQuestion =
  | { readonly kind: 'health' }
  | { readonly kind: 'refs'; readonly name: string; readonly service: Service }
  | { readonly kind: 'rpc'; readonly name: string; readonly service: Service }
  | { readonly kind: 'refused'; readonly status: 400 | 403 | 404 | 405 | 415; readonly reason: string };

/** Reads method, target and content type. Whatever is not exactly one of the four requests of smart HTTP is refused. */
export function parseHttpRequest(method: string, target: string, contentType: string | undefined): HttpQuestion {
  if (target === '/__health')
    return method === 'GET' || method === 'HEAD' ? { kind: 'health' } : refused(405, ONLY_SMART);
  const [, first, rest, query] = /^\/([^/?#]+)\/([^?#]*)(?:\?([^#]*))?$/.exec(target) ?? [];
  const name = first === undefined ? undefined : repoNameOf(first);
  if (name === undefined || rest === undefined)
    return refused(404, 'there is nothing at this path; ask for /<name>.git');
  if (rest === 'info/refs') {
    if (method !== 'GET') return refused(405, ONLY_SMART);
    if (query === undefined || query === '')
      return refused(403, 'the dumb HTTP protocol is not served; use a git that is newer than 1.6.6');
    const service = serviceOf(/^service=([a-z-]+)$/.exec(query)?.[1]);
    return service === undefined ? refused(403, UNKNOWN_SERVICE) : { kind: 'refs', name, service };
  }
  const service = serviceOf(rest);
  if (service === undefined || query !== undefined) return refused(403, UNKNOWN_SERVICE);
  if (method !== 'POST') return refused(405, ONLY_SMART);
  if (contentType !== `application/x-${service}-request`) {
    return refused(415, `the content type of this request is application/x-${service}-request`);
  }
  return { kind: 'rpc', name, service };
}

/** `git-upload-archive` and whatever else there is are no services of ours. */
export function serviceOf(word: string | undefined): Service | undefined {
  return word === 'git-upload-pack' || word === 'git-receive-pack' ? word : undefined;
}

/** The version of the protocol that a client wishes for, as it goes to git: nothing but that. */
export function protocolOf(wish: string | undefined): string | undefined {
  const version = wish?.split(':').find((part) => /^version=[012]$/.test(part));
  return version;
}

const ONLY_SMART = 'this is a git repository; use git clone, fetch or push';
const UNKNOWN_SERVICE = 'only git-upload-pack (fetch) and git-receive-pack (push) are served';

function refused(status: 400 | 403 | 404 | 405 | 415, reason: string): HttpQuestion {
  return { kind: 'refused', status, reason };
}
