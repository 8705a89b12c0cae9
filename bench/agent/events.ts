import { connect as connectHttp2 } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { now } from '../stamps.ts';
import type { EventsDone, EventsTask } from './task.ts';
import { openTunnel } from './tunnel.ts';

/** A stream of server-sent events, each of which holds the time at which the origin wrote it; one clock for both. */
export async function measureEvents(task: EventsTask): Promise<EventsDone> {
  const { version, count, gap_ms, originPort } = task;
  const socket = await openTunnel(task, version === 1 ? 'http/1.1' : 'h2');
  const delays: number[] = [];
  await new Promise<void>((resolve, reject) => {
    let text = '';
    const take = (chunk: Buffer): void => {
      const at = now();
      text += chunk.toString('latin1');
      let from = 0;
      for (const match of text.matchAll(/data: (\d+)\n\n/g)) {
        delays.push((at - Number(match[1])) / 1e6);
        from = match.index + match[0].length;
      }
      text = text.slice(from);
      if (delays.length === count) resolve();
    };
    const broken = () => reject(new Error(`${delays.length} of ${count} events arrived; then came: ${text}`));
    socket.on('error', reject);
    socket.on('close', broken);
    ask(socket, version, originPort, `/v1/events/${count}/${gap_ms}`, take);
  });
  return { delays_ms: delays };
}

function ask(socket: TLSSocket, version: 1 | 2, port: number, path: string, take: (chunk: Buffer) => void): void {
  if (version === 1) {
    socket.on('data', take);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nAccept: text/event-stream\r\n\r\n`);
    return;
  }
  const session = connectHttp2(`https://localhost:${port}`, { createConnection: () => socket });
  session.on('error', () => socket.destroy());
  const stream = session.request({ ':path': path, accept: 'text/event-stream' });
  stream.on('error', () => socket.destroy());
  stream.on('data', take);
}
