import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { defaultLimits } from '../../../../daemons/egress/limits.ts';
import {
  ask,
  askHttp2,
  begin,
  connectTo,
  dial,
  openBottle,
  readAll,
  readReply,
  secure,
  session,
  until,
} from './bottle.ts';

test('a connection that says nothing, or never ends its headers, is closed', async (t) => {
  const bottle = await openBottle(t, { limits: { headers_ms: 200 } });
  const silent = await dial(bottle);
  assert.match(await readAll(silent), /^(?:HTTP\/1\.1 408 .*)?$/s);
  const slow = await dial(bottle);
  slow.write('GET http://example.com/ HTTP/1.1\r\nX-A: ');
  const drip = setInterval(() => slow.write('a'), 20);
  assert.match(await readAll(slow), /^HTTP\/1\.1 408 /);
  clearInterval(drip);
  const inTunnel = await secure(bottle, 'example.com:443');
  inTunnel.write('GET / HTTP/1.1\r\nX-A: ');
  assert.match(await readAll(inTunnel), /^HTTP\/1\.1 408 /);
});

test('a tunnel in which nothing is said, or whose TLS handshake does not end, is closed', async (t) => {
  const bottle = await openBottle(t, { limits: { tunnelFirstByte_ms: 100, tlsHandshake_ms: 100 } });
  const silent = await connectTo(bottle, 'example.com:443');
  assert.equal(await readAll(silent), '');
  const half = await connectTo(bottle, 'example.com:443');
  half.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
  assert.equal(await readAll(half), '');
  const garbage = await connectTo(bottle, 'example.com:443');
  garbage.write(Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x00, 0x20]), Buffer.alloc(32, 0xff)]));
  assert.doesNotMatch(await readAll(garbage), /HTTP/);
  await until(() => bottle.proxy.figures().tunnels === 0, 'all tunnels are closed');
});

test('a client that leaves, at whatever point, leaves nothing behind', async (t) => {
  const bottle = await openBottle(t);
  const leavers = [
    async () => (await dial(bottle)).destroy(),
    async () => (await connectTo(bottle, 'example.com:443')).destroy(),
    async () => (await connectTo(bottle, 'example.com:443')).end(Buffer.from([0x16, 0x03, 0x01])),
    async () => (await secure(bottle, 'example.com:443')).destroy(),
    async () => (await secure(bottle, 'example.com:443')).end(),
    async () => (await secure(bottle, 'example.com:443', { protocols: ['h2'] })).destroy(),
    async () => (await secure(bottle, 'example.com:443')).end('GET / HTTP/1.1\r\nHost: exam'),
  ];
  for (const leave of leavers) {
    await leave();
    await until(() => bottle.proxy.figures().connections === 0, String(leave));
  }
  assert.equal(bottle.proxy.figures().tunnels, 0);
});

test('a kept connection without requests is closed, in both versions of HTTP', async (t) => {
  const bottle = await openBottle(t, { limits: { idle_ms: 100 } });
  const socket = await secure(bottle, 'example.com:443');
  socket.write('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n');
  assert.match(await readAll(socket), /^HTTP\/1\.1 200 /);
  const client = await session(t, bottle, 'example.com:443');
  assert.equal((await askHttp2(client, { ':path': '/' })).status, 200);
  await once(client, 'close');
  await until(() => bottle.proxy.figures().connections === 0, 'all connections are closed');
});

test('a body that drips in is answered 408 and ends upstream', async (t) => {
  let closed = 0;
  const bottle = await openBottle(t, {
    origin: (request) => {
      request.resume();
      request.on('error', () => {});
      request.on('close', () => (closed += 1));
    },
    limits: { uploadWindow_ms: 200, uploadFloorBytes: 1000 },
  });
  const made = await begin(bottle, 'https://example.com/', { method: 'POST' });
  made.on('error', () => {});
  const drip = setInterval(() => made.write('x'), 10);
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  clearInterval(drip);
  made.end();
  assert.equal(response.statusCode, 408);
  response.resume();
  await until(() => closed === 1, 'the origin sees the end');
  const { fault } = await bottle.reported(1);
  assert.equal(fault, 'timeout');
});

test('an answer that does not come is answered 504, one that stops is broken off', async (t) => {
  const bottle = await openBottle(t, {
    origin: (request, answer) => {
      if (request.url?.endsWith('/stops') === true) answer.write('half');
    },
    limits: { answer_ms: 150, answerIdle_ms: 150 },
  });
  const none = await ask(bottle, 'https://example.com/');
  assert.deepEqual([none.status, none.body], [504, 'egress: no answer within 0.15 seconds\n']);
  const made = await begin(bottle, 'https://example.com/stops');
  made.end();
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  await once(response.resume(), 'error');
  assert.deepEqual(
    (await Promise.all([bottle.reported(1), bottle.reported(2)])).map(({ fault }) => fault),
    ['timeout', 'timeout'],
  );
});

test('an agent that does not read its answer is let go', async (t) => {
  let closed = 0;
  const bottle = await openBottle(t, {
    origin: (_request, answer) => {
      answer.on('close', () => (closed += 1));
      answer.write(Buffer.alloc(64 * 1024 * 1024));
    },
    limits: { agentStall_ms: 300 },
  });
  const socket = await secure(bottle, 'example.com:443');
  socket.write('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n');
  socket.pause();
  await until(() => closed === 1, 'the origin is let go');
  assert.equal((await bottle.reported(1)).fault, 'timeout');
});

test('a body larger than the limit is refused before it comes, or when it has come that far', async (t) => {
  const bottle = await openBottle(t, {
    origin: (request) => request.resume(),
    limits: { requestBytes: 1000, linger_ms: 100 },
  });
  const socket = await secure(bottle, 'example.com:443');
  socket.write('POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1001\r\n\r\n');
  assert.match(await readAll(socket), /^HTTP\/1\.1 413 .*larger than 1000 bytes/s);
  const made = await begin(bottle, 'https://example.com/', { method: 'POST' });
  made.on('error', () => {});
  made.write('x'.repeat(600));
  made.write('x'.repeat(600));
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  assert.equal((await readReply(response)).status, 413);
});

test('only so many requests are under way at once', async (t) => {
  let free: (() => void) | undefined;
  const bottle = await openBottle(t, {
    origin: (_request, answer) => (free = () => answer.end()),
    limits: { exchanges: 1 },
  });
  const first = ask(bottle, 'https://example.com/');
  await until(() => free !== undefined, 'the first is under way');
  assert.equal((await ask(bottle, 'https://example.com/')).status, 503);
  free?.();
  assert.equal((await first).status, 200);
});

test('only so many requests of one connection are pipelined', async (t) => {
  let arrived = 0;
  const bottle = await openBottle(t, { origin: () => (arrived += 1), limits: { pipelined: 4 } });
  const socket = await secure(bottle, 'example.com:443');
  socket.write('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n'.repeat(1000));
  await readAll(socket);
  assert.ok(arrived <= 4);
  await until(() => bottle.proxy.figures().exchanges === 0, 'all are over');
});

test('only so many tunnels are open at once, and the port itself still answers', async (t) => {
  const bottle = await openBottle(t, {
    limits: { tunnels: 2 },
    own: () => ({ kind: 'answered', status: 200, contentType: 'text/plain', body: 'ok' }),
  });
  const open = [await connectTo(bottle, 'a.example:443'), await connectTo(bottle, 'b.example:443')];
  await assert.rejects(connectTo(bottle, 'c.example:443'), /503 .*2 tunnels are open/s);
  const health = await dial(bottle);
  health.write('GET /__health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(await readAll(health), /200 OK/);
  for (const socket of open) socket.destroy();
  await until(() => bottle.proxy.figures().tunnels === 0, 'tunnels are given back');
  (await connectTo(bottle, 'c.example:443')).destroy();
});

test('only so many connections are open at once: the oldest without a request makes room, so that the port still answers', async (t) => {
  const own = () => ({ kind: 'answered', status: 200, contentType: 'text/plain', body: 'well' }) as const;
  const bottle = await openBottle(t, { limits: { connections: 2 }, own });
  const first = await dial(bottle);
  await dial(bottle);
  await until(() => bottle.proxy.figures().connections === 2, 'both are open');
  const third = await dial(bottle);
  third.write('GET /__health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(await readAll(third), /well$/);
  assert.equal(await readAll(first), '');
  assert.equal(bottle.proxy.figures().dropped, 1);
});

test('a connection is turned away where all others are tunnels or have a request under way', async (t) => {
  const bottle = await openBottle(t, { limits: { connections: 2 }, origin: () => {} });
  await connectTo(bottle, 'a.example:443');
  const busy = await dial(bottle);
  busy.write('GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n');
  await until(() => bottle.proxy.figures().exchanges === 1, 'the request is under way');
  assert.equal(await readAll(await dial(bottle)), '');
  assert.equal(bottle.proxy.figures().dropped, 1);
});

test('tunnels, WebSockets and requests together cannot take all connections', () => {
  const { connections, tunnels, webSockets, exchanges } = defaultLimits;
  assert.ok(tunnels + webSockets + exchanges < connections);
});

test('only so many streams of one HTTP/2 connection are open at once', async (t) => {
  let arrived = 0;
  const bottle = await openBottle(t, { origin: () => (arrived += 1), limits: { streams: 3 } });
  const client = await session(t, bottle, 'example.com:443');
  await until(() => client.remoteSettings.maxConcurrentStreams === 3, 'the settings arrive');
  const streams = Array.from({ length: 10 }, () => client.request({ ':path': '/' }));
  for (const stream of streams) stream.on('error', () => {});
  await until(() => arrived === 3, 'three arrive');
  assert.equal(arrived, 3);
});

test('an agent that opens streams only to reset them loses its connection', async (t) => {
  const bottle = await openBottle(t, { origin: () => {}, limits: { streamResetBurst: 20, streamResetRate: 1 } });
  const client = await session(t, bottle, 'example.com:443');
  let isClosed = false;
  client.once('close', () => (isClosed = true));
  for (let i = 0; i < 2000 && !isClosed; i += 1) {
    const stream = client.request({ ':path': '/' });
    stream.on('error', () => {});
    stream.close(8);
    if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => isClosed, 'the connection is closed');
  await until(() => bottle.proxy.figures().exchanges === 0, 'nothing of it is left');
});

test('requests of one connection are counted, and the last one says that it is the last', async (t) => {
  const bottle = await openBottle(t, { limits: { requestsPerConnection: 2 } });
  const socket = await secure(bottle, 'example.com:443');
  socket.write('GET /1 HTTP/1.1\r\nHost: example.com\r\n\r\nGET /2 HTTP/1.1\r\nHost: example.com\r\n\r\n');
  assert.match(await readAll(socket), /\/1".*Connection: close.*\/2"/s);
  const client = await session(t, bottle, 'example.com:443');
  const replies = [await askHttp2(client, { ':path': '/1' }), await askHttp2(client, { ':path': '/2' })];
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 200],
  );
  if (!client.destroyed) await once(client, 'close');
});
