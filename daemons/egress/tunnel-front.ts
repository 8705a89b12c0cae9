import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer, type SecureContext, type TLSSocket } from 'node:tls';
import { type Authority, parseAuthority, parseHost } from '../authority/authority.ts';
import { answerTextOn } from '../http/refusal.ts';
import type { Tunnel } from './admission.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { type Engine, refusalLine } from './engine.ts';
import type { Refused } from './verdict.ts';

/** Goes on with a tunnel once it is known what is spoken in it. */
export interface TunnelSpeakers {
  http1(tunnel: Tunnel, socket: Duplex): void;
  http2(tunnel: Tunnel, socket: TLSSocket): void;
}

export interface TunnelFront {
  /** Takes over a connection that asked for a tunnel: `target` is CONNECT's, `host` the Host beside it. Whether there is a tunnel now. */
  open(target: string, host: string | undefined, socket: Socket, head: Buffer): boolean;
}

const established = 'HTTP/1.1 200 Connection established\r\n\r\n';
/** The first byte of a TLS record that begins a handshake (RFC 8446 5.1). */
const tlsHandshake = 0x16;

/** Opens the tunnels that CONNECT asks for, and ends TLS in them with a certificate of our own. */
export function createTunnelFront(engine: Engine, ca: CertificateAuthority, speakers: TunnelSpeakers): TunnelFront {
  const { limits, open: counts } = engine;
  const handshaking = new Map<string, Tunnel>();
  let unasked: string | undefined;

  const tls = createServer({
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: limits.tlsHandshake_ms,
    minVersion: 'TLSv1.2',
    SNICallback: chooseCertificate,
  });
  tls.on('tlsClientError', (_error, socket) => socket.destroy());
  tls.on('secureConnection', (socket) => {
    const tunnel = handshaking.get(endpoints(socket));
    if (tunnel === undefined) {
      socket.destroy();
      return;
    }
    socket.on('error', () => socket.destroy());
    const named: Tunnel = { ...tunnel, scheme: 'https', otherServerName: otherName(socket, tunnel) };
    if (socket.alpnProtocol === 'h2') speakers.http2(named, socket);
    else speakers.http1(named, socket);
  });

  return { open };

  function open(target: string, host: string | undefined, socket: Socket, head: Buffer): boolean {
    const authority = /:\d{1,5}$/.test(target) ? parseAuthority(target, 443) : undefined;
    if (authority === undefined) {
      return refuse(socket, {
        kind: 'refused',
        status: 400,
        code: 'bad-authority',
        reason: 'CONNECT does not name a host and port',
      });
    }
    const said = host === undefined ? undefined : parseAuthority(host, authority.port);
    if (host !== undefined && (said?.host !== authority.host || said.port !== authority.port)) {
      return refuse(
        socket,
        {
          kind: 'refused',
          status: 421,
          code: 'misdirected',
          reason: 'Host names another host than CONNECT',
        },
        authority,
      );
    }
    if (counts.tunnels >= limits.tunnels) {
      return refuse(
        socket,
        {
          kind: 'refused',
          status: 503,
          code: 'too-many-tunnels',
          reason: `${limits.tunnels} tunnels are open; close one first`,
        },
        authority,
      );
    }
    counts.tunnels += 1;
    socket.once('close', () => {
      counts.tunnels -= 1;
    });
    socket.on('error', () => socket.destroy());
    socket.write(established);
    listen({ scheme: 'http', authority, otherServerName: undefined, agreed: undefined }, socket, head);
    return true;
  }

  /** Waits for the first byte in the tunnel: it tells TLS from HTTP, and anything else has no way through. */
  function listen(tunnel: Tunnel, socket: Socket, head: Buffer): void {
    if (head.length > 0) socket.unshift(head);
    const timer = setTimeout(() => socket.destroy(), limits.tunnelFirstByte_ms);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
    socket.once('end', () => socket.destroy());
    socket.on('readable', first);

    function first(): void {
      const chunk: unknown = socket.read();
      if (!Buffer.isBuffer(chunk)) return;
      clearTimeout(timer);
      socket.removeListener('readable', first);
      socket.unshift(chunk);
      const byte = chunk[0] ?? 0;
      if (byte === tlsHandshake) secure(tunnel, socket);
      else if (byte >= 0x41 && byte <= 0x5a) speakers.http1(tunnel, socket);
      else {
        const reason = 'a tunnel carries TLS or HTTP/1.1 and nothing else';
        refuse(socket, { kind: 'refused', status: 400, code: 'unknown-protocol', reason }, tunnel.authority);
      }
    }
  }

  function secure(tunnel: Tunnel, socket: Socket): void {
    const { host, isAddress } = tunnel.authority;
    const key = endpoints(socket);
    handshaking.set(key, tunnel);
    socket.once('close', () => handshaking.delete(key));
    // Nobody sends the name of an address, so its certificate has to be the one that is shown unasked.
    if (isAddress && host !== unasked) {
      tls.setSecureContext(ca.credentialsFor(host));
      unasked = host;
    }
    // The port's connections may be half open, for HTTP/1.1 in the clear. One with TLS must not: a client that leaves during the
    // handshake would keep its place until the handshake's time is up.
    socket.allowHalfOpen = false;
    tls.emit('connection', socket);
  }

  function chooseCertificate(name: string, done: (error: Error | null, context?: SecureContext) => void): void {
    const host = parseHost(name);
    // Without a name that makes sense there is no certificate to show: the handshake fails.
    if (host === undefined) done(new Error('unreadable server name'));
    else done(null, ca.contextFor(host.host));
  }

  function refuse(socket: Duplex, refusal: Refused, authority?: Authority): false {
    engine.reportUnread({ refusal, authority });
    answerTextOn(socket, { status: refusal.status, text: refusalLine(refusal) }, limits.linger_ms);
    return false;
  }
}

/** Tells one live connection from all others: what TLS makes of a connection has no other link to it. */
function endpoints({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}|${remotePort}|${localAddress}|${localPort}`;
}

/** The server name of the handshake where it is not the host of the tunnel. Addresses are never named (RFC 6066 3). */
function otherName(socket: TLSSocket, { authority }: Tunnel): string | undefined {
  const name = 'servername' in socket ? socket.servername : undefined;
  if (typeof name !== 'string' || name === '') return undefined;
  return parseHost(name)?.host === authority.host ? undefined : name;
}
