import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { BodyWatch, Judge } from '../../../../daemons/egress/verdict.ts';
import { createFrameTap, maskedFrame } from '../../../../daemons/egress/websocket-frames.ts';
import {
  allowAll,
  type Bottle,
  type BottleOptions,
  connectTo,
  field,
  openBottle,
  readAll,
  readUntil,
  secure,
  until,
} from './bottle.ts';

const handshake = [
  'GET /chat HTTP/1.1',
  'Host: example.com',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** Says back what it is told, and refuses at `boom`; holds back the last three bytes until the end. */
function watch(): BodyWatch {
  let kept: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      const all = Buffer.concat([kept, chunk]);
      if (all.includes('boom')) {
        return {
          kind: 'refuse',
          refusal: { kind: 'refused', status: 403, code: 'secret-found', reason: 'a known secret' },
        };
      }
      const bytes = Buffer.from(all.toString('latin1').replaceAll('star', '****'), 'latin1');
      kept = bytes.subarray(Math.max(0, bytes.length - 3));
      return { kind: 'pass', bytes: bytes.subarray(0, bytes.length - kept.length) };
    },
    end: () => ({ kind: 'pass', bytes: kept }),
  };
}

const watched: Judge = (question) => ({ ...allowed(question), watch });

function allowed({
  authority,
  target,
  headers,
}: Parameters<Judge>[0]): Extract<ReturnType<Judge>, { kind: 'allowed' }> {
  return {
    kind: 'allowed',
    route: authority.host,
    target,
    headers,
    watch: undefined,
    trailers: (fields) => fields,
    answerHeaders: (fields) => fields,
  };
}

interface Place {
  readonly bottle: Bottle;
  readonly asked: IncomingMessage[];
  readonly heard: string[];
  readonly closed: number[];
}

/** A bottle whose pipelock is an echoing WebSocket server. */
async function openEcho(t: TestContext, options: BottleOptions = {}): Promise<Place> {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  const asked: IncomingMessage[] = [];
  const heard: string[] = [];
  const closed: number[] = [];
  server.on('connection', (peer) => {
    peer.on('message', (data: RawData, isBinary) => {
      heard.push(String(data));
      peer.send(data, { binary: isBinary });
    });
    peer.on('close', (code) => closed.push(code));
    peer.on('error', () => {});
  });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    asked.push(request);
    server.handleUpgrade(request, socket, head, (peer) => server.emit('connection', peer, request));
  };
  const bottle = await openBottle(t, { upgrade, ...options });
  t.after(() => {
    for (const peer of server.clients) peer.terminate();
  });
  return { bottle, asked, heard, closed };
}

async function open(bottle: Bottle, url: string, protocols: string[] = []): Promise<WebSocket> {
  const socket = await (url.startsWith('wss:')
    ? secure(bottle, 'example.com:443')
    : connectTo(bottle, 'example.com:80'));
  const client = new WebSocket(url, protocols, { createConnection: () => socket, headers: { Cookie: 'a=1' } });
  client.on('error', () => {});
  await once(client, 'open');
  return client;
}

test('a WebSocket leaves as a handshake to the endpoint that scans its frames, without compression', async (t) => {
  const { bottle, asked } = await openEcho(t);
  const client = await open(bottle, 'wss://example.com/chat?room=1&x=%20');
  client.send('hello');
  assert.equal(String((await once(client, 'message'))[0]), 'hello');
  assert.equal(asked[0]?.url, `/ws?url=${encodeURIComponent('wss://example.com/chat?room=1&x=%20')}`);
  assert.equal(asked[0]?.headers['sec-websocket-extensions'], undefined);
  assert.equal(asked[0]?.headers.cookie, 'a=1');
  assert.equal(client.extensions, '');
  client.close(1000);
  await once(client, 'close');
  const { status, question, fault, sentBytes, receivedBytes } = await bottle.reported(1);
  assert.deepEqual([status, question.kind, fault], [101, 'websocket', undefined]);
  assert.ok(sentBytes > 0 && receivedBytes > 0);
  assert.equal(bottle.proxy.figures().webSockets, 0);
});

test('a WebSocket in the clear goes to ws://', async (t) => {
  const { bottle, asked } = await openEcho(t);
  const client = await open(bottle, 'ws://example.com/chat');
  assert.equal(asked[0]?.url, `/ws?url=${encodeURIComponent('ws://example.com/chat')}`);
  client.terminate();
});

test('messages of any size, fragmented or not, pass the watch unharmed', async (t) => {
  const { bottle, heard } = await openEcho(t, { judge: watched });
  const client = await open(bottle, 'wss://example.com/');
  for (const length of [0, 1, 2, 3, 125, 126, 65_535, 65_536, 1_000_000]) {
    const message = 'x'.repeat(length);
    client.send(message);
    assert.equal(String((await once(client, 'message'))[0]), message);
  }
  heard.length = 0;
  client.send('a st', { fin: false });
  client.ping('between');
  client.send('ar and ', { fin: false });
  client.send('more', { fin: true });
  assert.equal(String((await once(client, 'message'))[0]), 'a **** and more');
  client.send(Buffer.from([0, 255, 1, 254]));
  assert.deepEqual((await once(client, 'message'))[0], Buffer.from([0, 255, 1, 254]));
  client.close();
  await once(client, 'close');
});

test('a secret in a message or in a ping closes both sides, the agent with 1008, and never arrives', async (t) => {
  for (const send of [
    (client: WebSocket) => client.send('boom'),
    (client: WebSocket) => client.ping('boom'),
    (client: WebSocket) => {
      client.send('bo', { fin: false });
      client.send('om');
    },
  ]) {
    const { bottle, heard, closed } = await openEcho(t, { judge: watched });
    const client = await open(bottle, 'wss://example.com/');
    send(client);
    const [code, reason] = await once(client, 'close');
    assert.deepEqual([code, String(reason)], [1008, 'egress: a known secret']);
    await until(() => closed.length === 1, 'the origin sees the end');
    assert.deepEqual(heard, []);
    const { verdict } = await bottle.reported(1);
    assert.equal(verdict.kind, 'refused');
  }
});

test('a refused WebSocket is answered before it is one', async (t) => {
  const { bottle, asked } = await openEcho(t, {
    judge: () => ({ kind: 'refused', status: 403, code: 'host-not-allowed', reason: 'no route' }),
  });
  const socket = await secure(bottle, 'example.com:443');
  socket.write(`${handshake.join('\r\n')}\r\n\r\n`);
  assert.match(await readAll(socket), /^HTTP\/1\.1 403 .*egress: no route\n$/s);
  assert.equal(asked.length, 0);
});

test("pipelock's refusal of a WebSocket reaches the agent, marked", async (t) => {
  const bottle = await openBottle(t, {
    upgrade: (_request, socket) => {
      socket.end(
        'HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 35\r\n\r\nWebSocket blocked: not in allowlist',
      );
    },
  });
  const socket = await secure(bottle, 'example.com:443');
  socket.write(`${handshake.join('\r\n')}\r\n\r\n`);
  const answer = await readAll(socket);
  assert.match(answer, /^HTTP\/1\.1 403 .*X-Refused-By: pipelock at .*WebSocket blocked: not in allowlis/s);
});

test('what an origin answers in place of a WebSocket arrives with its bytes unchanged', async (t) => {
  const body = 'bitte später: ungültig';
  const bottle = await openBottle(t, {
    upgrade: (_request, socket) => {
      socket.end(`HTTP/1.1 401 Unauthorized\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    },
  });
  const socket = await secure(bottle, 'example.com:443');
  socket.write(`${handshake.join('\r\n')}\r\n\r\n`);
  assert.ok((await readAll(socket)).endsWith(Buffer.from(body).toString('latin1')));
});

test('a handshake that is unsound is refused', async (t) => {
  const { bottle, asked } = await openEcho(t);
  const changes: readonly (readonly [string, string])[] = [
    ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 8'],
    ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'X: y'],
    ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Key: short'],
    ['GET /chat', 'POST /chat'],
    ['Host: example.com', 'Host: example.com\r\nContent-Length: 3'],
    ['Host: example.com', 'Host: evil.example'],
  ];
  for (const [from, to] of changes) {
    const socket = await secure(bottle, 'example.com:443');
    socket.write(`${handshake.join('\r\n').replace(from, to)}\r\n\r\n`);
    assert.match(await readAll(socket), /^HTTP\/1\.1 4(?:00|21) /, to);
  }
  assert.equal(asked.length, 0);
});

test('an upgrade to anything else is an ordinary request', async (t) => {
  const bottle = await openBottle(t);
  const socket = await secure(bottle, 'example.com:443');
  socket.write('GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  const answer = await readUntil(socket, '"trailers"');
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.doesNotMatch(answer, /h2c/);
});

test('an extension that nobody offered makes the answer unsound', async (t) => {
  const bottle = await openBottle(t, {
    upgrade: (_request, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
      );
    },
  });
  const socket = await secure(bottle, 'example.com:443');
  socket.write(`${handshake.join('\r\n')}\r\n\r\n`);
  assert.match(await readAll(socket), /^HTTP\/1\.1 502 /);
});

test('frames that no client sends close the connection with 1002, endless messages with 1009', async (t) => {
  const { bottle, heard } = await openEcho(t, {
    judge: watched,
    limits: { webSocketMessageBytes: 1000, linger_ms: 50 },
  });
  const masked = maskedFrame(true, 1, Buffer.from('x'));
  const bad: readonly (readonly [name: string, bytes: Buffer, code: number])[] = [
    ['not masked', Buffer.from([0x81, 0x01, 0x78]), 1002],
    ['a reserved bit', Buffer.from([0xc1, ...masked.subarray(1)]), 1002],
    ['an unknown opcode', Buffer.from([0x83, ...masked.subarray(1)]), 1002],
    ['a fragment out of place', Buffer.from([0x80, ...masked.subarray(1)]), 1002],
    ['a fragmented ping', Buffer.from([0x09, ...masked.subarray(1)]), 1002],
    ['a long ping', maskedFrame(true, 9, Buffer.alloc(126)), 1002],
    ['a long message', maskedFrame(true, 2, Buffer.alloc(1001)), 1009],
    [
      'a long message in fragments',
      Buffer.concat([maskedFrame(false, 2, Buffer.alloc(600)), maskedFrame(true, 0, Buffer.alloc(600))]),
      1009,
    ],
    ['an absurd length', Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), 1009],
  ];
  for (const [name, bytes, code] of bad) {
    const socket = await secure(bottle, 'example.com:443');
    socket.write(`${handshake.join('\r\n')}\r\n\r\n`);
    await readUntil(socket, '\r\n\r\n');
    socket.write(bytes);
    const close = Buffer.from(await readAll(socket), 'latin1');
    const at = close.lastIndexOf(0x88);
    assert.equal(close.readUInt16BE(at + 2), code, name);
  }
  assert.deepEqual(heard, []);
});

test('an agent or an origin that goes away ends the other side', async (t) => {
  const { bottle, closed } = await openEcho(t);
  const leaver = await open(bottle, 'wss://example.com/');
  leaver.terminate();
  await until(() => closed.length === 1, 'the origin sees the end');
  const left = await open(bottle, 'wss://example.com/');
  const ends = once(left, 'close');
  bottle.upstream.closeAllConnections();
  left.close();
  await ends;
});

test('a WebSocket that nobody speaks on ends', async (t) => {
  const { bottle } = await openEcho(t, { limits: { webSocketIdle_ms: 100, linger_ms: 50 } });
  const client = await open(bottle, 'wss://example.com/');
  const [code] = await once(client, 'close');
  assert.equal(code, 1001);
  assert.equal((await bottle.reported(1)).fault, 'timeout');
});

test('only so many WebSockets are open at once', async (t) => {
  const { bottle } = await openEcho(t, { judge: allowAll, limits: { webSockets: 1 } });
  const client = await open(bottle, 'wss://example.com/');
  const socket = await secure(bottle, 'example.com:443');
  socket.write(`${handshake.join('\r\n')}\r\n\r\n`);
  assert.match(await readAll(socket), /^HTTP\/1\.1 503 .*egress: 1 WebSockets are open/s);
  client.terminate();
  await until(() => bottle.proxy.figures().webSockets === 0, 'the first is over');
});

test('however frames are cut into pieces, the messages that leave are those that came', () => {
  const pass = (): BodyWatch => {
    const kept: Buffer[] = [];
    return {
      push(chunk) {
        kept.push(chunk);
        const ready = kept.length > 1 ? kept.shift() : undefined;
        return { kind: 'pass', bytes: ready ?? Buffer.alloc(0) };
      },
      end: () => ({ kind: 'pass', bytes: Buffer.concat(kept) }),
    };
  };
  const message = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 5 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 97 })),
      (messages, cuts) => {
        const frames = messages.flatMap((fragments) =>
          fragments.map((fragment, i) =>
            maskedFrame(i === fragments.length - 1, i === 0 ? 2 : 0, Buffer.from(fragment)),
          ),
        );
        const bytes = Buffer.concat(frames);
        const tap = createFrameTap(pass, 10_000);
        const out: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const { value } = cuts.next();
          const step = tap.push(bytes.subarray(at, at + value));
          assert.equal(step.kind, 'pass');
          if (step.kind === 'pass') out.push(step.bytes);
          at += value;
        }
        assert.deepEqual(
          readMessages(Buffer.concat(out)),
          messages.map((fragments) => Buffer.concat(fragments).toString('hex')),
        );
      },
    ),
    { numRuns: 200 },
  );
});

function readMessages(bytes: Buffer): string[] {
  const messages: string[] = [];
  let pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const isFinal = ((bytes[at] ?? 0) & 0x80) !== 0;
    let length = (bytes[at + 1] ?? 0) & 0x7f;
    at += 2;
    if (length === 126) {
      length = bytes.readUInt16BE(at);
      at += 2;
    }
    const mask = bytes.subarray(at, at + 4);
    pieces.push(
      Buffer.from(bytes.subarray(at + 4, at + 4 + length)).map((byte, i) => byte ^ (mask[i & 3] ?? 0)) as Buffer,
    );
    at += 4 + length;
    if (!isFinal) continue;
    messages.push(Buffer.concat(pieces).toString('hex'));
    pieces = [];
  }
  return messages;
}

test('fields of the answer to the handshake are passed on, those of one connection are not', async (t) => {
  const bottle = await openBottle(t, {
    upgrade: (_request, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\nSet-Cookie: a=1\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n',
      );
    },
  });
  const socket = await secure(bottle, 'example.com:443');
  socket.write(`${handshake.join('\r\n')}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`);
  const answer = await readUntil(socket, '\r\n\r\n');
  const lines = answer
    .trim()
    .split('\r\n')
    .slice(1)
    .flatMap((line) => line.split(/: /, 2));
  assert.deepEqual(
    ['set-cookie', 'sec-websocket-protocol', 'x-hop', 'connection'].map((name) => field(lines, name)),
    [['a=1'], ['chat'], [], ['Upgrade']],
  );
});
