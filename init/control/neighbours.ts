import type { Server } from 'node:net';

/**
 * Closes connections beyond `most` of one address: a neighbour that takes all there are would keep an orchestrator from its probes,
 * which would then end the bundle.
 */
export function limitEachAddress(server: Server, most: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket) => {
    const { remoteAddress = '' } = socket;
    const count = open.get(remoteAddress) ?? 0;
    if (count >= most) {
      socket.destroy();
      return;
    }
    open.set(remoteAddress, count + 1);
    socket.on('close', () => {
      const left = (open.get(remoteAddress) ?? 1) - 1;
      if (left === 0) open.delete(remoteAddress);
      else open.set(remoteAddress, left);
    });
  });
}
