import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { throughPipelock } from '../../../../daemons/egress/upstream.ts';
import { ask, askHttp2, field, listening, openBottle, readAll, secure, session } from './bottle.ts';

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, 'close');
  return port;
}

test('without pipelock nothing leaves: 502 and why', async (t) => {
  const bottle = await openBottle(t, { pipelock: `http://127.0.0.1:${await freePort()}` });
  const reply = await ask(bottle, 'https://example.com/', { method: 'POST' }, 'x');
  assert.equal(reply.status, 502);
  assert.match(
    reply.body,
    /^egress: pipelock at 127\.0\.0\.1:\d+ did not answer \(ECONNREFUSED\); nothing leaves without it/,
  );
  const client = await session(t, bottle, 'example.com:443');
  assert.equal((await askHttp2(client, { ':path': '/' })).status, 502);
  const socket = await secure(bottle, 'example.com:443');
  socket.write(
    'GET /ws HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  assert.match(await readAll(socket), /^HTTP\/1\.1 502 .*egress: pipelock at/s);
  await bottle.reported(3);
  assert.deepEqual(
    bottle.exchanges.map(({ status }) => status),
    [502, 502, 502],
  );
});

test("pipelock's refusals reach the agent word for word, marked as pipelock's", async (t) => {
  const bottle = await openBottle(t, {
    origin: (request, response) => {
      const status = request.url?.endsWith('/rate') === true ? 429 : 403;
      const text =
        request.url?.endsWith('/origin') === true ? 'forbidden\n' : 'blocked: request header contains secret\n';
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
      response.end(text);
    },
  });
  const refused = await ask(bottle, 'https://example.com/');
  assert.deepEqual([refused.status, refused.body], [403, 'blocked: request header contains secret\n']);
  assert.match(field(refused.headers, 'x-refused-by')[0] ?? '', /^pipelock at /);
  assert.equal((await bottle.reported(1)).fault, 'refused-by-upstream');
  assert.match(field((await ask(bottle, 'https://example.com/rate')).headers, 'x-refused-by')[0] ?? '', /^pipelock/);
  const origins = await ask(bottle, 'https://example.com/origin');
  assert.deepEqual([origins.body, field(origins.headers, 'x-refused-by')], ['forbidden\n', []]);
});

test('what may be answered by an event stream asks for it uncompressed, since pipelock refuses what it cannot look into', async (t) => {
  const bottle = await openBottle(t);
  const encodings = async (method: string, accept: string): Promise<readonly string[]> => {
    const headers = { Accept: accept, 'accept-encoding': 'gzip, br' };
    const reply = await ask(bottle, 'https://example.com/', { method, headers });
    const seen: { readonly headers: string[] } = JSON.parse(reply.body);
    return field(seen.headers, 'accept-encoding');
  };
  assert.deepEqual(await encodings('GET', 'application/octet-stream'), ['gzip, br']);
  assert.deepEqual(await encodings('GET', 'Text/Event-Stream'), ['identity']);
  assert.deepEqual(await encodings('POST', 'application/json'), ['identity']);
});

test('a kept connection that pipelock closed is replaced without the agent noticing', async (t) => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    const isFirst = connections === 1;
    let requests = 0;
    socket.on('error', () => {});
    socket.on('data', () => {
      requests += 1;
      if (isFirst && requests === 2) socket.resetAndDestroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const port = await listening(server);
  t.after(() => server.close());
  const bottle = await openBottle(t, { pipelock: `http://127.0.0.1:${port}` });
  assert.equal((await ask(bottle, 'https://example.com/1')).body, 'ok');
  assert.equal((await ask(bottle, 'https://example.com/2')).body, 'ok');
  assert.equal(connections, 2);
});

test('a request that may not be repeated is not, but answered 502', async (t) => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    let requests = 0;
    socket.on('error', () => {});
    socket.on('data', () => {
      requests += 1;
      if (requests === 2) socket.resetAndDestroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const port = await listening(server);
  t.after(() => server.close());
  const bottle = await openBottle(t, { pipelock: `http://127.0.0.1:${port}` });
  const post = { method: 'POST', headers: { 'Content-Length': '0' } };
  assert.equal((await ask(bottle, 'https://example.com/1', post)).status, 200);
  assert.equal((await ask(bottle, 'https://example.com/2', post)).status, 502);
  assert.equal(connections, 1);
});

test('connections to pipelock are kept and used again', async (t) => {
  const bottle = await openBottle(t);
  const ports = new Set<number | undefined>();
  bottle.upstream.on('request', ({ socket }) => ports.add(socket.remotePort));
  for (let i = 0; i < 5; i += 1) await ask(bottle, `https://host${i}.example/`);
  assert.equal(ports.size, 1);
});

test('a way out that is not plain HTTP is refused at the start', () => {
  assert.throws(() => throughPipelock('https://127.0.0.1:8888'), /not an http:\/\/ URL/);
});
