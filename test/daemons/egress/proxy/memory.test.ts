import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { execaNode } from 'execa';
import { listening } from './bottle.ts';

/** Each way in each version of HTTP: 1 GiB down and 1 GiB up in all. */
const size = 1024 ** 3 / 2;
const piece = Buffer.alloc(1024 * 1024, 0x61);
/** What the issue allows. */
const growth = 100 * 1024 * 1024;

async function write(stream: Writable, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= piece.length) {
    if (!stream.write(piece)) await once(stream, 'drain');
  }
  stream.end();
}

async function count(stream: Readable): Promise<number> {
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(stream, 'end');
  return bytes;
}

test('the memory of the proxy stays flat over 1 GiB in each direction, half of it over HTTP/1.1 and half over HTTP/2', {
  timeout: 120_000,
}, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'bottle-'));
  const origin = createServer((incoming, response) => {
    if (incoming.method === 'GET') {
      const length = incoming.url?.endsWith('/warm') === true ? size / 4 : size;
      write(response.writeHead(200, { 'Content-Length': String(length) }), length).catch(() => response.destroy());
      return;
    }
    count(incoming).then(
      (bytes) => response.end(String(bytes)),
      () => response.destroy(),
    );
  });
  const upstreamPort = await listening(origin);
  const child = execaNode(
    join(import.meta.dirname, 'proxy-process.ts'),
    [join(directory, 'ca'), String(upstreamPort)],
    {
      ipc: true,
      serialization: 'json',
    },
  );
  child.catch(() => {});
  t.after(async () => {
    child.kill('SIGKILL');
    origin.closeAllConnections();
    origin.close();
    await rm(directory, { recursive: true, force: true });
  });
  const started = (await child.getOneMessage()) as { readonly port: number; readonly ca: string };
  const resident = async (): Promise<number> => {
    const told = child.getOneMessage();
    await child.sendMessage('resident');
    return (await told) as number;
  };
  const open = async (protocol: string): Promise<TLSSocket> => {
    const socket: Socket = connect(started.port, '127.0.0.1');
    socket.write('CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n');
    await once(socket, 'data');
    const tls = connectTls({ socket, servername: 'h.example', ca: started.ca, ALPNProtocols: [protocol] });
    await once(tls, 'secureConnect');
    return tls;
  };
  const overHttp1 = async (method: string, path = '/'): Promise<IncomingMessage> => {
    const socket = await open('http/1.1');
    const made = request({ createConnection: () => socket, method, path, headers: { Host: 'h.example' } });
    const answer = once(made, 'response');
    if (method === 'GET') made.end();
    else await write(made, size);
    return (await answer)[0];
  };
  const overHttp2 = async (method: string): Promise<Readable> => {
    const socket = await open('h2');
    const client = connectHttp2('https://h.example', { createConnection: () => socket });
    const stream = client.request({ ':path': '/', ':method': method }, { endStream: method === 'GET' });
    stream.once('close', () => client.close());
    if (method !== 'GET') await write(stream, size);
    return stream;
  };
  await count(await overHttp1('GET', '/warm'));
  const before = await resident();
  for (const [name, transfer] of [
    ['HTTP/1.1', overHttp1],
    ['HTTP/2', overHttp2],
  ] as const) {
    assert.equal(await count(await transfer('GET')), size);
    assert.ok((await resident()) - before < growth, `download over ${name}`);
    const answer = await transfer('PUT');
    let text = '';
    answer.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await once(answer, 'end');
    assert.equal(text, String(size));
    const after = await resident();
    t.diagnostic(`${name}: ${Math.round(before / 2 ** 20)} MiB before, ${Math.round(after / 2 ** 20)} MiB after`);
    assert.ok(after - before < growth, `upload over ${name}`);
  }
});
