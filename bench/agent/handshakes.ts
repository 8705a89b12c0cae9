import { summarise } from '../stats.ts';
import type { HandshakesDone, HandshakesTask } from './task.ts';
import { openTunnel } from './tunnel.ts';

/** First CONNECT and TLS handshake to a host that the proxy has not seen, and the same to one that it has, in turns. */
export async function measureHandshakes(task: HandshakesTask): Promise<HandshakesDone> {
  const run = `${process.pid}-${Date.now().toString(36)}`;
  const known: number[] = [];
  const fresh: number[] = [];
  // The first ones compile code on both sides.
  for (let index = 0; index < 10; index += 1) await handshake(task, `warm${index}.${run}.example`);
  for (let index = 0; index < task.pairs; index += 1) {
    const host = `h${index}.${run}.example`;
    fresh.push(await handshake(task, host));
    known.push(await handshake(task, host));
  }
  return {
    known_ms: summarise(known)?.median ?? Number.NaN,
    fresh_ms: summarise(fresh)?.median ?? Number.NaN,
  };
}

async function handshake(task: HandshakesTask, host: string): Promise<number> {
  const from = performance.now();
  const socket = await openTunnel(task, 'http/1.1', host, 443);
  const took = performance.now() - from;
  socket.destroy();
  return took;
}
