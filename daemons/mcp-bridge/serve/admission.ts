import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Who may speak to the bridge. */
export interface AdmissionOptions {
  /** Names by which the bridge may be called, without a port, in small letters. */
  readonly hosts: ReadonlySet<string>;
  /** The bearer token; undefined: none is asked for. */
  readonly token: string | undefined;
}

/** Why a request is not let in. */
export interface Refused {
  readonly status: 401 | 403;
  readonly message: string;
}

/**
 * Checks Host and Origin, so that no web page reaches the bridge by a name that it made point here (MCP 2026-07-28, Streamable HTTP, security),
 * and the token. Undefined: come in.
 */
export function createAdmission(options: AdmissionOptions): (request: IncomingMessage) => Refused | undefined {
  const expected = options.token === undefined ? undefined : hash('sha256', options.token, 'buffer');

  return function admit({ headers }) {
    const host = hostnameOf(`http://${headers.host ?? ''}`);
    if (host === undefined || !options.hosts.has(host))
      return {
        status: 403,
        message: 'This host name is not served here; MCP_BRIDGE_ALLOWED_HOSTS lists those that are',
      };
    if (headers.origin !== undefined) {
      const origin = hostnameOf(headers.origin);
      if (origin === undefined || !options.hosts.has(origin))
        return {
          status: 403,
          message: 'Requests of this origin are not served; MCP_BRIDGE_ALLOWED_HOSTS lists those that are',
        };
    }
    if (expected === undefined) return undefined;
    const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    if (timingSafeEqual(hash('sha256', given, 'buffer'), expected)) return undefined;
    return { status: 401, message: 'A bearer token is needed, and it must be the right one' };
  };
}

function hostnameOf(url: string): string | undefined {
  if (!/^https?:\/\/[^/?#@\\\s]+$/i.test(url)) return undefined;
  return URL.parse(url)?.hostname.toLowerCase();
}
