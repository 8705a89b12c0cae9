import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Place } from './task.ts';

/** How long any one step may take. */
const PATIENCE = 30_000;

/** TLS to `host:port` through the proxy, or straight to the origin. Whatever certificate is shown is taken. */
export async function openTunnel(
  { proxyPort, originPort }: Place,
  protocol: 'http/1.1' | 'h2',
  host = 'localhost',
  port = originPort,
): Promise<TLSSocket> {
  // As clients of HTTP/2 do, which can always fall back.
  const offered = protocol === 'h2' ? ['h2', 'http/1.1'] : [protocol];
  const options = { servername: host, rejectUnauthorized: false, ALPNProtocols: offered };
  const socket = await connected(proxyPort ?? originPort);
  if (proxyPort !== undefined) await connectThrough(socket, `${host}:${port}`);
  return new Promise((resolve, reject) => {
    const secure = connectTls({ socket, ...options }, () => {
      secure.setTimeout(0);
      if (protocol === 'h2' && secure.alpnProtocol !== 'h2') reject(new Error('HTTP/2 is not spoken'));
      else resolve(secure);
    });
    secure.setTimeout(PATIENCE, () => secure.destroy(new Error('the TLS handshake took too long')));
    secure.once('error', reject);
  });
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => resolve(socket));
    socket.setNoDelay(true);
    socket.once('error', reject);
  });
}

function connectThrough(socket: Socket, authority: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    socket.once('close', () => reject(new Error('the proxy closed the connection')));
    let answer = '';
    socket.on('data', function take(chunk: Buffer) {
      answer += chunk.toString('latin1');
      if (!answer.endsWith('\r\n\r\n')) return;
      socket.removeListener('data', take);
      socket.pause();
      if (answer.startsWith('HTTP/1.1 200')) resolve();
      else reject(new Error(`CONNECT was answered with ${answer.split('\r\n', 1)[0]}`));
    });
  });
}
