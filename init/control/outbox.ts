import type { ServerResponse } from 'node:http';

/** What is still to be sent to one client of a stream. */
export interface Outbox {
  /** Queues a text. A client that reads too slowly is disconnected, so that the queue never passes its bound. */
  send(text: string): void;
}

/** Bounds of one stream. */
export interface OutboxLimits {
  /** Bytes queued beside the backlog, the kernel's socket buffer not counted. */
  readonly bytes: number;
  /** ms in which the client must read something, once there is something to read. */
  readonly stall: number;
}

/**
 * Sends `backlog` at the client's pace, then what `send` was given meanwhile and later. The backlog is drawn from its
 * iterator only as the client reads, so it costs no second copy in memory. Without `live` the response ends after it.
 */
export function createOutbox(
  response: ServerResponse,
  backlog: Iterable<string>,
  live: boolean,
  limits: OutboxLimits,
): Outbox {
  const source = backlog[Symbol.iterator]();
  let drawn = false;
  let waiting = false;
  let closed = false;
  let queue: string[] = [];
  let queued = 0;
  let stalled: NodeJS.Timeout | undefined;

  response.on('drain', () => {
    waiting = false;
    clearTimeout(stalled);
    pump();
  });
  response.on('close', () => {
    closed = true;
    queue = [];
    clearTimeout(stalled);
  });
  pump();

  return {
    send(text) {
      if (closed) return;
      queue.push(text);
      queued += Buffer.byteLength(text);
      if (!waiting) pump();
      if (queued > limits.bytes) disconnect();
    },
  };

  function pump(): void {
    while (!waiting && !closed) {
      const text = next();
      if (text === undefined) return;
      if (response.write(text)) continue;
      waiting = true;
      expectProgress();
    }
  }

  function expectProgress(): void {
    stalled = setTimeout(disconnect, limits.stall).unref();
  }

  function next(): string | undefined {
    if (!drawn) {
      const item = source.next();
      if (item.done !== true) return item.value;
      drawn = true;
      if (!live) {
        response.end();
        expectProgress();
        return undefined;
      }
    }
    if (queue.length === 0) return undefined;
    const text = queue.join('');
    queue = [];
    queued = 0;
    return text;
  }

  function disconnect(): void {
    closed = true;
    queue = [];
    clearTimeout(stalled);
    response.destroy();
  }
}
