import assert from 'node:assert/strict';
import { createServer as createTcpServer } from 'node:net';
import { test } from 'node:test';
import { ask, askHttp2, connectTo, dial, listening, openBottle, readAll, secure, session, until } from './bottle.ts';

/** Each is what follows `POST / HTTP/1.1`, or a whole request where it begins with a method. */
const requests: readonly (readonly [name: string, bytes: string])[] = [
  ['two equal Content-Length', 'Host: h.example\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc'],
  ['two different Content-Length', 'Host: h.example\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc'],
  ['a list as Content-Length', 'Host: h.example\r\nContent-Length: 3, 3\r\n\r\nabc'],
  ['a signed Content-Length', 'Host: h.example\r\nContent-Length: +3\r\n\r\nabc'],
  ['an empty Content-Length', 'Host: h.example\r\nContent-Length:\r\n\r\nabc'],
  ['a hexadecimal Content-Length', 'Host: h.example\r\nContent-Length: 0x3\r\n\r\nabc'],
  ['an endless Content-Length', `Host: h.example\r\nContent-Length: ${'9'.repeat(40)}\r\n\r\nabc`],
  [
    'Content-Length before Transfer-Encoding',
    'Host: h.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'Transfer-Encoding before Content-Length',
    'Host: h.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
  ],
  ['Transfer-Encoding identity', 'Host: h.example\r\nTransfer-Encoding: identity\r\n\r\n'],
  ['Transfer-Encoding gzip, chunked', 'Host: h.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['chunked that is not last', 'Host: h.example\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
  [
    'two Transfer-Encoding',
    'Host: h.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['Transfer-Encoding xchunked', 'Host: h.example\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
  [
    'Transfer-Encoding in HTTP/1.0',
    'POST / HTTP/1.0\r\nHost: h.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a folded field', 'Host: h.example\r\nX: a\r\n b\r\n\r\n'],
  ['lines that end in a bare LF', 'POST / HTTP/1.1\nHost: h.example\n\n'],
  ['one line that ends in a bare LF', 'Host: h.example\nX: b\r\n\r\n'],
  ['a bare CR in a value', 'Host: h.example\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n'],
  ['a space before the colon', 'Host: h.example\r\nTransfer-Encoding : chunked\r\n\r\n'],
  ['a space before the first field', ' Host: h.example\r\n\r\n'],
  ['a field without a name', 'Host: h.example\r\n: b\r\n\r\n'],
  ['NUL in a value', 'Host: h.example\r\nX: a\0b\r\n\r\n'],
  ['NUL in a name', 'Host: h.example\r\nX\0: a\r\n\r\n'],
  ['two Host fields', 'Host: h.example\r\nHost: other.example\r\n\r\n'],
  ['two equal Host fields', 'Host: h.example\r\nHost: h.example\r\n\r\n'],
  ['no Host', 'X: a\r\n\r\n'],
  ['an empty Host', 'Host:\r\n\r\n'],
  ['a Host with a user', 'Host: user@h.example\r\n\r\n'],
  ['a Host with a path', 'Host: h.example/x\r\n\r\n'],
  ['Connection that names Host', 'Host: h.example\r\nConnection: host\r\n\r\n'],
  [
    'Connection that names Content-Length',
    'Host: h.example\r\nContent-Length: 3\r\nConnection: content-length\r\n\r\nabc',
  ],
  [
    'Connection that names Authorization',
    'Host: h.example\r\nConnection: close, Authorization\r\nAuthorization: x\r\n\r\n',
  ],
  ['a chunk size with a prefix', 'Host: h.example\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n'],
  ['a chunk size with a space', 'Host: h.example\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n'],
  ['a chunk that ends in a bare LF', 'Host: h.example\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n'],
  ['a chunk longer than it says', 'Host: h.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n'],
  ['a negative chunk', 'Host: h.example\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n'],
  [
    'Content-Length as a trailer',
    'Host: h.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n',
  ],
  ['HTTP/2 in the request line', 'POST / HTTP/2.0\r\nHost: h.example\r\n\r\n'],
  ['HTTP/1.2 in the request line', 'POST / HTTP/1.2\r\nHost: h.example\r\n\r\n'],
  ['no version', 'GET /\r\n\r\n'],
  ['a tab in the request line', 'GET\t/ HTTP/1.1\r\nHost: h.example\r\n\r\n'],
  ['a raw byte in the target', 'GET /\xff HTTP/1.1\r\nHost: h.example\r\n\r\n'],
  ['a fragment in the target', 'GET /a#b HTTP/1.1\r\nHost: h.example\r\n\r\n'],
  ['a method in lower case', 'get / HTTP/1.1\r\nHost: h.example\r\n\r\n'],
  ['a whole URI inside the tunnel', 'GET https://other.example/ HTTP/1.1\r\nHost: h.example\r\n\r\n'],
  ['a target without a slash', 'OPTIONS * HTTP/1.1\r\nHost: h.example\r\n\r\n'],
  ['CONNECT inside the tunnel', 'CONNECT other.example:443 HTTP/1.1\r\nHost: h.example\r\n\r\n'],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a header section without an end', `Host: h.example\r\nX: ${'a'.repeat(70_000)}`],
  ['too many fields', `Host: h.example\r\n${'X: b\r\n'.repeat(300)}\r\n`],
  ['too long a target', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: h.example\r\n\r\n`],
];

const refusedStatuses = /^HTTP\/1\.1 (?:400|414|421|431) /;

test('a request on whose end or destination two servers could disagree is refused, and nothing of it leaves', async (t) => {
  let arrived = 0;
  const bottle = await openBottle(t, {
    origin: (_request, response) => {
      arrived += 1;
      response.end();
    },
    limits: { linger_ms: 50 },
  });
  for (const [name, bytes] of requests) {
    await t.test(name, async () => {
      const whole = /^(?:[A-Za-z]+)[ \t]\S/.test(bytes) ? bytes : `POST / HTTP/1.1\r\n${bytes}`;
      const socket = await connectTo(bottle, 'h.example:80');
      socket.write(Buffer.from(whole, 'latin1'));
      const answers = await readAll(socket);
      assert.match(answers, refusedStatuses);
      assert.match(answers, /\r\n\r\negress: [^\n]+\n$/);
    });
  }
  // The body of a chunked request is only known to be broken when it comes; its head may have left by then, but no answer comes of it.
  assert.ok(arrived <= 6, `${arrived} reached the origin`);
});

test('a body that turns out to be broken never ends upstream', async (t) => {
  let ended = 0;
  const bottle = await openBottle(t, { origin: (request) => request.resume().on('end', () => (ended += 1)) });
  for (const body of [
    '3\r\nabcXX',
    '0x3\r\nabc',
    '3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n',
    '3\r\nabc\r\n0\r\n X: y\r\n\r\n',
  ]) {
    const socket = await connectTo(bottle, 'h.example:80');
    socket.write(`POST / HTTP/1.1\r\nHost: h.example\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
    await readAll(socket);
  }
  assert.equal(ended, 0);
});

test('what follows an unsound request on its connection is not listened to', async (t) => {
  const bottle = await openBottle(t);
  const unsound = 'GET http://h.example/ HTTP/1.1\r\nHost: h.example\r\nHost: other.example\r\n\r\n';
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
  for (const next of [
    'GET http://h.example/ HTTP/1.1\r\nHost: h.example\r\n\r\n',
    'CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n',
    `GET http://h.example/ HTTP/1.1\r\nHost: h.example\r\n${upgrade}Sec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
  ]) {
    const socket = await dial(bottle);
    socket.write(unsound + next);
    assert.match(await readAll(socket), /^HTTP\/1\.1 400 .*more than one Host header\n$/s);
  }
  assert.deepEqual(bottle.exchanges, []);
});

test('a tunnel is not opened on a connection that still waits for an answer', async (t) => {
  const bottle = await openBottle(t, { origin: () => {} });
  const socket = await dial(bottle);
  socket.write(
    'GET http://h.example/ HTTP/1.1\r\nHost: h.example\r\n\r\nCONNECT h.example:80 HTTP/1.1\r\nHost: h.example:80\r\n\r\n',
  );
  assert.equal(await readAll(socket), '');
  assert.equal(bottle.proxy.figures().tunnels, 0);
});

test('a request that hides in the body of another is not seen as one', async (t) => {
  const bottle = await openBottle(t);
  const socket = await secure(bottle, 'h.example:443');
  const hidden = 'GET /hidden HTTP/1.1\r\nHost: h.example\r\n\r\n';
  socket.write(
    `POST /a HTTP/1.1\r\nHost: h.example\r\nContent-Length: ${hidden.length}\r\nConnection: close\r\n\r\n${hidden}`,
  );
  await readAll(socket);
  assert.deepEqual(
    bottle.exchanges.map(({ question }) => question.target),
    ['/a'],
  );
});

const direct: readonly (readonly [name: string, line: string, host: string])[] = [
  ['another host in Host', 'GET http://h.example/ HTTP/1.1', 'other.example'],
  ['another port in Host', 'GET http://h.example/ HTTP/1.1', 'h.example:81'],
  ['a user in the URI', 'GET http://user@h.example/ HTTP/1.1', 'h.example'],
  ['a user that looks like the host', 'GET http://h.example@other.example/ HTTP/1.1', 'h.example'],
  ['a backslash in the authority', 'GET http://h.example\\@other.example/ HTTP/1.1', 'h.example'],
  ['no authority', 'GET http:///x HTTP/1.1', 'h.example'],
  ['another scheme', 'GET ftp://h.example/ HTTP/1.1', 'h.example'],
  ['a port out of range', 'GET http://h.example:99999/ HTTP/1.1', 'h.example:99999'],
  ['a fragment', 'GET http://h.example/#x HTTP/1.1', 'h.example'],
];

test('a whole URI whose authority is unsound, or that Host contradicts, is refused', async (t) => {
  const bottle = await openBottle(t);
  for (const [name, line, host] of direct) {
    await t.test(name, async () => {
      const socket = await dial(bottle);
      socket.write(`${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      assert.match(await readAll(socket), /^HTTP\/1\.1 400 /);
    });
  }
  assert.equal(bottle.exchanges.filter(({ verdict }) => verdict.kind === 'allowed').length, 0);
});

const connects: readonly (readonly [name: string, request: string, status: number])[] = [
  ['no port', 'CONNECT h.example HTTP/1.1\r\nHost: h.example\r\n\r\n', 400],
  ['a user', 'CONNECT user@h.example:443 HTTP/1.1\r\nHost: h.example\r\n\r\n', 400],
  ['port 0', 'CONNECT h.example:0 HTTP/1.1\r\nHost: h.example:0\r\n\r\n', 400],
  ['another host in Host', 'CONNECT h.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n', 421],
  ['another port in Host', 'CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:444\r\n\r\n', 421],
  ['two Hosts', 'CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\nHost: h.example:443\r\n\r\n', 400],
  ['a body', 'CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\nContent-Length: 3\r\n\r\nabc', 400],
];

test('a CONNECT that is unsound opens no tunnel', async (t) => {
  const bottle = await openBottle(t);
  for (const [name, request, status] of connects) {
    await t.test(name, async () => {
      const socket = await dial(bottle);
      socket.write(request);
      assert.match(await readAll(socket), new RegExp(`^HTTP/1\\.1 ${status} `));
    });
  }
  assert.equal(bottle.proxy.figures().tunnels, 0);
});

const http2Requests: readonly (readonly [name: string, headers: Record<string, string | string[]>, status: number])[] =
  [
    ['a fragment', { ':path': '/a#b' }, 400],
    ['a whole URI as path', { ':path': 'https://other.example/' }, 400],
    ['another authority', { ':path': '/', ':authority': 'other.example' }, 421],
    ['another port', { ':path': '/', ':authority': 'h.example:444' }, 421],
    ['another scheme', { ':path': '/', ':scheme': 'http' }, 400],
    ['extended CONNECT', { ':method': 'CONNECT', ':path': '/', ':scheme': 'https', ':protocol': 'websocket' }, 501],
  ];

test('a connection on which no sound HTTP/2 is spoken ends, and that is told', async (t) => {
  const bottle = await openBottle(t);
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  // A frame of data on a stream that nobody opened (RFC 9113, 5.1).
  const data = Buffer.from([0, 0, 1, 0, 0, 0, 0, 0, 1, 0x41]);
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'),
    Buffer.concat([preface, settings, data]),
  ]) {
    const socket = await secure(bottle, 'a.example:443', { protocols: ['h2'] });
    socket.write(bytes);
    await readAll(socket);
  }
  await until(() => bottle.unread.length === 2, 'both are told');
  assert.ok(
    bottle.unread.every(({ refusal, authority }) => refusal.code === 'bad-framing' && authority?.host === 'a.example'),
  );
});

test('over HTTP/2, pseudo-header fields that contradict the tunnel are refused', async (t) => {
  const bottle = await openBottle(t);
  for (const [name, headers, status] of http2Requests) {
    await t.test(name, async () => {
      const client = await session(t, bottle, 'h.example:443');
      try {
        assert.equal((await askHttp2(client, headers)).status, status);
      } catch (error) {
        // The client library or nghttp2 itself would not have it: no request either way.
        assert.match(String(error), /ERR_HTTP2|INTERNAL|PROTOCOL/);
      }
    });
  }
  assert.equal(bottle.exchanges.filter(({ verdict }) => verdict.kind === 'allowed').length, 0);
});

const answers: readonly (readonly [name: string, bytes: string])[] = [
  [
    'Content-Length and Transfer-Encoding',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'Transfer-Encoding and Content-Length',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
  ],
  ['two Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc'],
  ['Transfer-Encoding gzip', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc'],
  [
    'two Transfer-Encoding',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a folded field', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
  ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['NUL in a field', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n'],
  ['another protocol', 'SSH-2.0-OpenSSH\r\n'],
  [
    'a switch of protocols that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
  ],
  ['no end of its headers', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}\r\n`],
  ['too many fields', `HTTP/1.1 200 OK\r\n${'X: b\r\n'.repeat(500)}Content-Length: 0\r\n\r\n`],
  ['no answer', ''],
  ['endless 1xx', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50)],
];

test('an answer that is not sound becomes a 502', async (t) => {
  for (const [name, bytes] of answers) {
    await t.test(name, async (inner) => {
      const server = createTcpServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(Buffer.from(bytes, 'latin1')));
      });
      const port = await listening(server);
      inner.after(() => server.close());
      const bottle = await openBottle(inner, { pipelock: `http://127.0.0.1:${port}` });
      const reply = await ask(bottle, 'https://h.example/');
      assert.equal(reply.status, 502);
      assert.match(reply.body, /^egress: /);
    });
  }
});
