import type { ServerResponse } from 'node:http';

/** Between two signs of life on a silent stream. Milliseconds. */
const KEEP_ALIVE_MS = 15_000;

/** A client that reads nothing is cut off when so many bytes wait for it beside one message, so that it holds up nobody else. */
const MOST_UNREAD = 16 * 1024 * 1024;

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // For nginx and its like: a stream that is collected is none.
  'x-accel-buffering': 'no',
};

/** The answer to one HTTP request: one JSON text, or a stream of events, whichever is needed first. */
export interface Reply {
  /** Sends one event. False where the client is gone. */
  event(data: string, options?: { readonly id?: string; readonly event?: string; readonly retry?: number }): boolean;
  /** Starts the stream before its first event. */
  stream(): void;
  /** Ends with this text: as the last event, or, where none was sent, as JSON with this status. */
  end(status: number, body: string, id?: string): void;
  /** Ends without another word. */
  close(): void;
  isStream(): boolean;
  /** The client is gone, or was answered. */
  isOver(): boolean;
}

/** `headers` go with the answer, whichever it is. */
export function createReply(response: ServerResponse, headers: Readonly<Record<string, string>> = {}): Reply {
  let isStream = false;
  /** Bytes of the largest message so far: whoever reads has not had the time to take it while it is written. */
  let largest = 0;
  let timer: NodeJS.Timeout | undefined;

  function isOver(): boolean {
    return response.destroyed || response.writableEnded;
  }

  function stream(): void {
    if (isStream || isOver()) return;
    isStream = true;
    response.writeHead(200, { ...STREAM_HEADERS, ...headers });
    response.flushHeaders();
    timer = setInterval(() => write(':\n\n'), KEEP_ALIVE_MS);
    timer.unref();
    response.once('close', () => clearInterval(timer));
  }

  function write(text: string): boolean {
    if (isOver()) return false;
    response.write(text);
    largest = Math.max(largest, Buffer.byteLength(text));
    if (response.writableLength > MOST_UNREAD + largest) response.destroy();
    return !response.destroyed;
  }

  function event(data: string, options: { id?: string; event?: string; retry?: number } = {}): boolean {
    stream();
    const id = options.id === undefined ? '' : `id: ${options.id}\n`;
    const retry = options.retry === undefined ? '' : `retry: ${options.retry}\n`;
    return write(`${id}${retry}event: ${options.event ?? 'message'}\ndata: ${data}\n\n`);
  }

  function close(): void {
    clearInterval(timer);
    if (!isOver()) response.end();
  }

  return {
    event,
    stream,
    end(status, body, id) {
      if (isStream) {
        event(body, id === undefined ? {} : { id });
        close();
        return;
      }
      if (isOver()) return;
      response.writeHead(status, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...headers,
      });
      response.end(body);
    },
    close,
    isStream: () => isStream,
    isOver,
  };
}
