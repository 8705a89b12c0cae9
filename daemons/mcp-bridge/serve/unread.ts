import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** What may wait for clients that do not read. */
export interface UnreadLimits {
  /** Bytes, of all connections together. */
  readonly most: number;
  /** A connection that took nothing for so long, while something waited for it, is cut off. Milliseconds. */
  readonly patience: number;
}

const LOOK_MS = 1000;

/** Cuts off clients that let the bridge hold what they do not read: it must not run out of memory for one of them. */
export function limitUnread(server: Server, { most, patience }: UnreadLimits): void {
  const waiting = new Map<Socket, { taken: number; since: number }>();
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => {
      connections.delete(socket);
      waiting.delete(socket);
    });
  });

  function look(): void {
    const now = Date.now();
    let total = 0;
    for (const socket of connections) {
      const unread = socket.writableLength;
      total += unread;
      const taken = socket.bytesWritten - unread;
      const before = waiting.get(socket);
      if (unread === 0) waiting.delete(socket);
      else if (before === undefined || before.taken !== taken) waiting.set(socket, { taken, since: now });
      else if (now - before.since >= patience) socket.destroy();
    }
    if (total <= most) return;
    for (const socket of [...waiting.keys()].toSorted((a, b) => b.writableLength - a.writableLength)) {
      total -= socket.writableLength;
      socket.destroy();
      if (total <= most) return;
    }
  }

  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  server.once('close', () => clearInterval(timer));
}
