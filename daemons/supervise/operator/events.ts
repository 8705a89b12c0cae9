import type { ServerResponse } from 'node:http';
import type { Proposal } from '../proposal.ts';
import type { Desk } from '../queue/desk.ts';

/** Streams at once; each costs a connection. */
const MOST_STREAMS = 32;
/** A reader that lets so many bytes pile up is cut off. It connects again, and lists what it missed. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;
const HEARTBEAT_MS = 15_000;

/** Server-sent events: one each time a proposal changes. */
export interface EventStreams {
  /** Makes the response a stream; false where there are too many. */
  open(response: ServerResponse): boolean;
  close(): void;
}

export function createEventStreams(desk: Desk): EventStreams {
  const streams = new Set<ServerResponse>();

  function send(text: string): void {
    for (const stream of streams) {
      if (stream.writableLength > MOST_WAITING_BYTES) stream.destroy();
      else stream.write(text);
    }
  }

  const unsubscribe = desk.subscribe((proposal: Proposal) => {
    if (streams.size > 0) send(`event: proposal\ndata: ${JSON.stringify(proposal)}\n\n`);
  });
  const heartbeat = setInterval(() => send(':\n\n'), HEARTBEAT_MS);
  heartbeat.unref();

  return {
    open(response) {
      if (streams.size >= MOST_STREAMS) return false;
      streams.add(response);
      response.once('close', () => streams.delete(response));
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(':\n\n');
      return true;
    },
    close() {
      unsubscribe();
      clearInterval(heartbeat);
      for (const stream of streams) stream.end();
    },
  };
}
