import type { IncomingMessage } from 'node:http';

/** The whole body as text; `undefined` as soon as it passes `limit` bytes. Rejects where the client leaves midway. */
export async function readBody(request: IncomingMessage, limit: number): Promise<string | undefined> {
  if (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined) return '';
  return readMessage(request, limit);
}

/** The same of an answer, which may also end with its connection (RFC 9112 section 6.3). */
export async function readMessage(message: IncomingMessage, limit: number): Promise<string | undefined> {
  if (Number(message.headers['content-length']) > limit) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
