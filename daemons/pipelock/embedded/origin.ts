import type { LookupAddress } from 'node:dns';
import { readFileSync } from 'node:fs';
import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { getCACertificates } from 'node:tls';
import type { RawHeaders } from '../../http/headers.ts';
import { pinned } from './addresses.ts';
import type { Destination } from './destination.ts';

/** What goes to an origin, and to which of its addresses. */
export interface Outgoing {
  readonly destination: Destination;
  readonly addresses: readonly LookupAddress[];
  readonly method: string;
  readonly headers: RawHeaders;
}

/** Connections to origins. A connection that is kept was made to an address that was checked. */
export interface Origins {
  request(outgoing: Outgoing): ClientRequest;
  /** Closes what is idle, and every other connection as soon as its answer is complete. */
  retire(): void;
  /** Closes all of them at once. */
  close(): void;
}

/** How long a connection may take until it is up, TLS included. */
const CONNECT_MS = 15_000;
const MOST_SOCKETS_PER_HOST = 256;
const KEPT_MS = 15_000;

/**
 * The certificate authorities that origins are verified by: those of Node with NODE_EXTRA_CA_CERTS, and those of SSL_CERT_FILE, so that
 * one setting serves pipelock and its stand-in. Throws where that file cannot be read.
 */
export function trustedAuthorities(file = process.env.SSL_CERT_FILE): string[] {
  const known = [...getCACertificates('default')];
  if (file === undefined || file === '') return known;
  try {
    return [...known, readFileSync(file, 'utf8')];
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`SSL_CERT_FILE cannot be read: ${reason}`, { cause });
  }
}

export function createOrigins(authorities: readonly string[]): Origins {
  const pooling = { keepAlive: true, maxSockets: MOST_SOCKETS_PER_HOST, maxFreeSockets: 64, timeout: KEPT_MS };
  const http = new HttpAgent(pooling);
  const https = new HttpsAgent({ ...pooling, ca: [...authorities], minVersion: 'TLSv1.2' });

  return {
    request({ destination: { scheme, authority, target }, addresses, method, headers }) {
      const options = {
        host: authority.host,
        port: authority.port,
        path: target,
        method,
        headers,
        lookup: pinned(addresses),
        setDefaultHeaders: false,
      };
      const outgoing =
        scheme === 'http'
          ? httpRequest({ ...options, agent: http })
          : httpsRequest({ ...options, agent: https, servername: authority.isAddress ? '' : authority.host });
      outgoing.once('socket', (socket) => {
        socket.setTimeout(0);
        if (!socket.connecting) return;
        const timer = setTimeout(() => outgoing.destroy(new Error('connection timed out')), CONNECT_MS);
        socket.once(scheme === 'http' ? 'connect' : 'secureConnect', () => clearTimeout(timer));
        socket.once('close', () => clearTimeout(timer));
      });
      return outgoing;
    },
    retire() {
      for (const agent of [http, https]) {
        agent.on('free', (socket: Socket) => socket.destroy());
        for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
      }
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}
