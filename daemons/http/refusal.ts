import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RawHeaders } from './headers.ts';

/** One line of text as the whole answer, told as `text/plain`. */
export interface TextAnswer {
  readonly status: number;
  readonly text: string;
  /** Fields beside those of the framing. */
  readonly headers?: RawHeaders;
}

const plain = 'text/plain; charset=utf-8';

/** The headers of a text answer, framing included. */
export function textHeaders({ text, headers = [] }: TextAnswer, contentType = plain): string[] {
  return [
    ...headers,
    'Content-Type',
    contentType,
    'Content-Length',
    String(Buffer.byteLength(text)),
    'X-Content-Type-Options',
    'nosniff',
  ];
}

/**
 * Answers a request with a line of text. Where the request has a body that nobody is going to read (`closes`), the connection ends
 * with the answer. Does nothing where an answer has begun.
 */
export function answerText(response: ServerResponse, answer: TextAnswer, closes: boolean): void {
  if (response.headersSent || response.destroyed) return;
  const headers = textHeaders(answer);
  if (closes) headers.push('Connection', 'close');
  response.writeHead(answer.status, headers);
  response.end(answer.text);
}

/**
 * The same where there is no response object: on a CONNECT, an upgrade, or what did not parse. The connection ends with it, and is
 * destroyed if the peer does not take the answer within `linger_ms`.
 */
export function answerTextOn(socket: Duplex, answer: TextAnswer, linger_ms = 2_000): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const timer = setTimeout(() => socket.destroy(), linger_ms);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
  socket.once('error', () => socket.destroy());
  socket.resume();
  socket.end(head(answer.status, [...textHeaders(answer), 'Connection', 'close']) + answer.text);
}

/** Status line and fields as bytes of HTTP/1.1, up to and with the empty line. */
export function head(status: number, headers: RawHeaders): string {
  let lines = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) lines += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${lines}\r\n`;
}
