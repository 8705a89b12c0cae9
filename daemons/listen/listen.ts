import { once } from 'node:events';
import type { Server, Socket } from 'node:net';

/** Listens, or rejects with why not. On a machine without IPv6 the default `::`, every address, is every IPv4 address. */
export async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (host !== '::' || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) throw error;
    await listen(server, '0.0.0.0', port);
  }
}

/** The TCP port that a server listens on; undefined where it listens on none. */
export function portOf(server: Server): number | undefined {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : undefined;
}

/** Keeps in `connections` who is connected, so that an end can cut off those who stay. */
export function trackConnections(server: Server, connections: Set<Socket>): void {
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
}
