import { connect as connectHttp2 } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { createAnswerReader } from './answer.ts';
import type { TransferDone, TransferTask } from './task.ts';
import { openTunnel } from './tunnel.ts';

const PIECE = Buffer.alloc(64 * 1024, 'All work and no play makes Jack a dull boy.\n');
/** No window of HTTP/2 is to be what bounds a transfer. */
const WINDOW = 16 * 1024 * 1024;

/** One body of so many bytes, from the origin or to it. */
export async function measureTransfer(task: TransferTask): Promise<TransferDone> {
  const socket = await openTunnel(task, task.version === 1 ? 'http/1.1' : 'h2');
  const from = performance.now();
  await (task.version === 1 ? overHttp1(task, socket) : overHttp2(task, socket));
  return { seconds: (performance.now() - from) / 1000 };
}

function overHttp1({ direction, bytes, originPort }: TransferTask, socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const read = createAnswerReader(() => {
      socket.removeAllListeners('close');
      socket.destroy();
      resolve();
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        read(chunk);
      } catch (error) {
        reject(error);
      }
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed within a transfer')));
    const host = `Host: localhost:${originPort}\r\nConnection: keep-alive`;
    if (direction === 'down') socket.write(`GET /v1/down/${bytes} HTTP/1.1\r\n${host}\r\n\r\n`);
    else {
      socket.write(`POST /v1/up HTTP/1.1\r\n${host}\r\nContent-Length: ${bytes}\r\n\r\n`);
      pour(bytes, socket, () => {});
    }
  });
}

function overHttp2({ direction, bytes, originPort }: TransferTask, socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const authority = `https://localhost:${originPort}`;
    const session = connectHttp2(authority, {
      createConnection: () => socket,
      settings: { initialWindowSize: WINDOW, enablePush: false },
    });
    session.on('error', reject);
    session.on('connect', () => session.setLocalWindowSize(WINDOW));
    const isDown = direction === 'down';
    const stream = session.request(
      isDown
        ? { ':path': `/v1/down/${bytes}` }
        : { ':method': 'POST', ':path': '/v1/up', 'content-length': String(bytes) },
      { endStream: isDown },
    );
    let received = 0;
    let status: number | undefined;
    let text = '';
    stream.on('response', (headers) => {
      status = headers[':status'];
    });
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (!isDown) text += chunk.toString('latin1');
    });
    stream.on('error', reject);
    stream.on('end', () => {
      session.destroy();
      const arrived = isDown ? received : Number(text);
      if (status === 200 && arrived === bytes) resolve();
      else reject(new Error(`${arrived} of ${bytes} bytes arrived, with status ${status}`));
    });
    if (!isDown) pour(bytes, stream, () => stream.end());
  });
}

function pour(bytes: number, into: NodeJS.WritableStream, whenOver: () => void): void {
  let left = bytes;
  const write = (): void => {
    while (left > 0) {
      const next = left < PIECE.length ? PIECE.subarray(0, left) : PIECE;
      left -= next.length;
      if (!into.write(next)) return;
    }
    into.removeListener('drain', write);
    whenOver();
  };
  into.on('drain', write);
  write();
}
