import { createServer, type TLSSocket } from 'node:tls';
import { openCertificateAuthority } from '../../daemons/egress/certificate-authority.ts';
import { now } from '../stamps.ts';

/**
 * The origin of all requests: `origin.ts PORT DIRECTORY`, with its authority in DIRECTORY. It speaks HTTP/1.1 on the raw socket, no more
 * of it than the measures need, and answers with bytes made beforehand, so that it costs next to nothing.
 *
 * `/v1/small`: 1 KiB of JSON. `/v1/down/BYTES`: so many bytes. `/v1/up`: takes the body and answers with its length.
 * `/v1/events/COUNT/GAP`: so many events, GAP ms apart, each the time at which it was written.
 */
const [, , port = '', directory = ''] = process.argv;
const authority = await openCertificateAuthority(directory);

const PIECE = Buffer.alloc(64 * 1024, 'All work and no play makes Jack a dull boy.\n');
const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
const SMALL = answer('application/json', JSON.stringify({ id: 'msg_0', type: 'message', text: 'x'.repeat(1024 - 42) }));

const server = createServer({ ...authority.credentialsFor('localhost'), ALPNProtocols: ['http/1.1'] }, serve);
server.listen(Number(port), '127.0.0.1');

/** A body on its way in. */
interface Body {
  /** Undefined: it is chunked. */
  readonly length: number | undefined;
  received: number;
  /** Its last bytes, among which a last chunk shows. */
  tail: Buffer;
}

function serve(socket: TLSSocket): void {
  let head: Buffer = Buffer.alloc(0);
  let path = '';
  let body: Body | undefined;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    let rest: Buffer = chunk;
    while (rest.length > 0) {
      if (body === undefined) {
        head = head.length === 0 ? rest : Buffer.concat([head, rest]);
        const end = head.indexOf(HEAD_END);
        if (end < 0) return;
        const text = head.toString('latin1', 0, end);
        rest = head.subarray(end + HEAD_END.length);
        head = Buffer.alloc(0);
        path = text.split(' ', 2)[1] ?? '';
        body = { length: lengthOf(text), received: 0, tail: Buffer.alloc(0) };
      }
      const taken = body.length === undefined ? rest.length : Math.min(rest.length, body.length - body.received);
      body.received += taken;
      if (body.length === undefined) body.tail = lastOf(body.tail, rest);
      rest = rest.subarray(taken);
      const isWhole = body.length === undefined ? body.tail.equals(LAST_CHUNK) : body.received === body.length;
      if (!isWhole) return;
      respond(socket, path, body.received);
      body = undefined;
    }
  });
}

/** Bytes of the body that follows; undefined where only its end will tell. */
function lengthOf(head: string): number | undefined {
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return undefined;
  return Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
}

function lastOf(before: Buffer, chunk: Buffer): Buffer {
  const long = chunk.length >= LAST_CHUNK.length ? chunk : Buffer.concat([before, chunk]);
  return Buffer.from(long.subarray(Math.max(0, long.length - LAST_CHUNK.length)));
}

function respond(socket: TLSSocket, path: string, received: number): void {
  const [, , kind, first = '', second = ''] = path.split('/');
  if (kind === 'small') socket.write(SMALL);
  else if (kind === 'up') socket.write(answer('text/plain', String(received)));
  else if (kind === 'down') pour(socket, Number(first));
  else if (kind === 'events') tell(socket, Number(first), Number(second));
  else socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
}

function pour(socket: TLSSocket, bytes: number): void {
  let left = bytes;
  const write = (): void => {
    while (left > 0) {
      const next = left < PIECE.length ? PIECE.subarray(0, left) : PIECE;
      left -= next.length;
      if (!socket.write(next)) return;
    }
    socket.removeListener('drain', write);
  };
  socket.on('drain', write);
  socket.write(headOf('application/octet-stream', `Content-Length: ${bytes}`));
  write();
}

function tell(socket: TLSSocket, count: number, gap_ms: number): void {
  socket.write(headOf('text/event-stream', 'Transfer-Encoding: chunked'));
  const next = (left: number): void => {
    if (socket.destroyed) return;
    if (left === 0) {
      socket.write(LAST_CHUNK);
      return;
    }
    const event = `data: ${now()}\n\n`;
    socket.write(`${event.length.toString(16)}\r\n${event}\r\n`);
    setTimeout(next, gap_ms, left - 1);
  };
  next(count);
}

function answer(type: string, text: string): Buffer {
  return Buffer.from(`${headOf(type, `Content-Length: ${text.length}`)}${text}`);
}

function headOf(type: string, framing: string): string {
  const fields = [`Content-Type: ${type}`, framing, 'X-Request-Id: req_0', 'Cache-Control: no-store'];
  return `HTTP/1.1 200 OK\r\n${fields.join('\r\n')}${HEAD_END}`;
}
