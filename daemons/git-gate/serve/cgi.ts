import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** The longest head that http-backend writes is a few hundred bytes. */
const MOST_HEAD = 16_384;

/** Hands the answer of a CGI program (RFC 3875, section 6) to an HTTP client, without keeping it. Rejects where there is none. */
export async function readCgi(output: Readable, response: ServerResponse): Promise<void> {
  let head: Buffer = Buffer.alloc(0);
  while (true) {
    const chunk: Buffer | null = output.read() ?? (await nextChunk(output));
    if (chunk === null) throw new Error('the program ended before it answered');
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end >= 0) {
      writeHead(head.toString('latin1', 0, end), response);
      const rest = head.subarray(end + 4);
      if (rest.length > 0) response.write(rest);
      await pipeline(output, response);
      return;
    }
    if (head.length > MOST_HEAD) throw new Error('the head of the answer is too long');
  }
}

function writeHead(head: string, response: ServerResponse): void {
  let status = 200;
  for (const line of head.split('\r\n')) {
    const [, name = '', value = ''] = /^([A-Za-z-]+): ?([\t\x20-\x7e]*)$/.exec(line) ?? [];
    if (name.toLowerCase() === 'status') status = Number(/^\d{3}/.exec(value)?.[0] ?? 500);
    else if (name !== '') response.setHeader(name, value);
  }
  response.writeHead(status);
}

function nextChunk(output: Readable): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const settle = (): void => {
      output.off('readable', settle);
      output.off('close', settle);
      output.off('end', settle);
      resolve(output.read());
    };
    if (output.readableEnded || output.destroyed) {
      resolve(null);
      return;
    }
    output.once('readable', settle);
    output.once('end', settle);
    output.once('close', settle);
  });
}
