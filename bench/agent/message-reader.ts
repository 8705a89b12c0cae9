const HEAD_END = '\r\n\r\n';
const LINE_END = '\r\n';

/**
 * Reads HTTP/1.1 answers of either kind off a connection, with a Content-Length or in chunks, and calls `onMessage` with each. Throws where
 * an answer is not of the 200s.
 */
export function createMessageReader(onMessage: (head: string, body: Buffer) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let end = pending.indexOf(HEAD_END); end >= 0; end = pending.indexOf(HEAD_END)) {
      const head = pending.toString('latin1', 0, end + LINE_END.length);
      if (!/^HTTP\/1\.1 2\d\d/.test(head)) throw new Error(`the answer was: ${pending.toString('latin1', 0, 400)}`);
      const message = bodyFrom(head, pending, end + HEAD_END.length);
      if (message === undefined) return;
      pending = pending.subarray(message.end);
      onMessage(head, message.body);
    }
  };
}

/** The body that begins at `from` and where it ends; undefined where there is more to come. */
function bodyFrom(
  head: string,
  bytes: Buffer,
  from: number,
): { readonly body: Buffer; readonly end: number } | undefined {
  if (/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) return chunksFrom(bytes, from);
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const end = from + length;
  return bytes.length < end ? undefined : { body: bytes.subarray(from, end), end };
}

function chunksFrom(bytes: Buffer, from: number): { readonly body: Buffer; readonly end: number } | undefined {
  const pieces: Buffer[] = [];
  for (let at = from; ; ) {
    const line = bytes.indexOf(LINE_END, at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    const start = line + LINE_END.length;
    const end = start + size + LINE_END.length;
    if (bytes.length < end) return undefined;
    if (size === 0) return { body: Buffer.concat(pieces), end };
    pieces.push(bytes.subarray(start, start + size));
    at = end;
  }
}
