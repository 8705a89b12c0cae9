import { connect, type Socket } from 'node:net';
import { CALL, checkAnswer, ENVELOPE, INITIALIZE, type Lane } from './lane.ts';
import { createMessageReader } from './message-reader.ts';
import type { Revision } from './task.ts';

interface Answer {
  readonly head: string;
  readonly body: Buffer;
}

/** A client over Streamable HTTP on one connection. Requests are made beforehand. Rejects where no session is to be had. */
export async function openHttpLane(
  { port, path }: { readonly port: number; readonly path: string },
  revision: Revision,
  fail: (error: unknown) => void,
): Promise<Lane> {
  const connection = createConnection(port, fail);
  const post = (message: object, headers: readonly string[]): Buffer => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    const head = [
      `POST ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      'Content-Type: application/json',
      'Accept: application/json, text/event-stream',
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...headers,
    ];
    return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
  };
  const ask = (request: Buffer): Promise<Answer> => new Promise((resolve) => connection.ask(request, resolve));
  const request = revision === '2026-07-28' ? modernCall(post) : legacyCall(post, await openSession(post, ask));
  return {
    call(answered) {
      connection.ask(request, ({ body }) => {
        checkAnswer(body);
        answered();
      });
    },
    close: connection.close,
  };
}

/** One connection, on which one request at a time is asked. One that the server closed in between, as it may, is opened again. */
function createConnection(port: number, fail: (error: unknown) => void) {
  let take: ((answer: Answer) => void) | undefined;
  let socket: Socket | undefined;

  function open(): Socket {
    const opened = connect(port, '127.0.0.1');
    opened.setNoDelay(true);
    const read = createMessageReader((head, body) => {
      const answered = take;
      take = undefined;
      answered?.({ head, body });
    });
    opened.on('data', (chunk: Buffer) => {
      try {
        read(chunk);
      } catch (error) {
        fail(error);
      }
    });
    opened.on('error', fail);
    opened.on('close', () => {
      socket = undefined;
      if (take !== undefined) fail(new Error('the connection was closed before the answer'));
    });
    return opened;
  }

  return {
    ask(request: Buffer, answered: (answer: Answer) => void): void {
      take = answered;
      socket ??= open();
      socket.write(request);
    },
    close(): void {
      take = undefined;
      socket?.destroy();
    },
  };
}

type Post = (message: object, headers: readonly string[]) => Buffer;

/** The headers of a session, or none of it where the server keeps none. */
async function openSession(post: Post, ask: (request: Buffer) => Promise<Answer>): Promise<readonly string[]> {
  const { head } = await ask(post({ id: 0, method: 'initialize', params: INITIALIZE }, []));
  const id = /\r\nmcp-session-id: *(\S+)/i.exec(head)?.[1];
  const headers = ['MCP-Protocol-Version: 2025-11-25', ...(id === undefined ? [] : [`Mcp-Session-Id: ${id}`])];
  await ask(post({ method: 'notifications/initialized' }, headers));
  return headers;
}

function legacyCall(post: Post, headers: readonly string[]): Buffer {
  return post({ id: 1, method: CALL.method, params: { name: CALL.name, arguments: {} } }, headers);
}

function modernCall(post: Post): Buffer {
  const params = { name: CALL.name, arguments: {}, _meta: ENVELOPE };
  const headers = ['MCP-Protocol-Version: 2026-07-28', `Mcp-Method: ${CALL.method}`, `Mcp-Name: ${CALL.name}`];
  return post({ id: 1, method: CALL.method, params }, headers);
}
