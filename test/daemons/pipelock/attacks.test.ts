import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { rateLimit } from '../../../daemons/pipelock/embedded/rate.ts';
import { startStandIn } from '../../../daemons/pipelock/embedded/stand-in.ts';
import type { Scanner } from '../../../daemons/scanner/finding.ts';
import { eventually } from './launcher.ts';
import { configWith, MARK, startLocal } from './stand-in.ts';

/** What somebody tried who wanted to get something past the stand-in, or to bring it down. */

const HERE = { internal_hosts: ['localhost'] };
const SMALL = { ...HERE, websocket: { max_connections: 4 } };
const KEY = `${'A'.repeat(22)}==`;

interface Origin extends AsyncDisposable {
  readonly port: number;
  /** Whatever came of WebSockets: handshakes, messages, ends. */
  readonly got: readonly Got[];
  readonly server: Server;
}

type Got =
  | { readonly kind: 'handshake'; readonly url: string; readonly headers: IncomingMessage['headers'] }
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'close'; readonly code: number; readonly reason: string };

/** `whenTaken` may hold an upgrade back; what it returns goes on at once. */
async function startOrigin(takes: (server: Server, accept: Accept) => void = takeAll): Promise<Origin> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end('ok'));
  });
  const sockets = new WebSocketServer({ noServer: true });
  takes(server, (request, socket, early) => {
    got.push({ kind: 'handshake', url: request.url ?? '', headers: request.headers });
    sockets.handleUpgrade(request, socket, early, (each) => {
      each.on('message', (data) => got.push({ kind: 'message', text: String(data) }));
      each.on('close', (code, reason) => got.push({ kind: 'close', code, reason: String(reason) }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    got,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Accept = (request: IncomingMessage, socket: Duplex, early: Buffer) => void;

function takeAll(server: Server, accept: Accept): void {
  server.on('upgrade', accept);
}

function handshake(url: string, more = ''): string {
  return (
    `GET /ws?url=${url} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
    `Sec-WebSocket-Key: ${KEY}\r\n${more === '' ? 'Connection: Upgrade\r\n' : more}\r\n`
  );
}

/** Says it and returns the first that comes back. */
async function said(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1', () => socket.write(text));
  const [first] = await once(socket, 'data');
  socket.destroy();
  return String(first);
}

function seen(origin: Origin, wanted: (got: Got) => boolean): Promise<Got> {
  return eventually(
    () => origin.got.find(wanted),
    () => JSON.stringify(origin.got),
  );
}

const through = (port: number, url: string) =>
  new WebSocket(`ws://127.0.0.1:${port}/ws?url=${encodeURIComponent(url)}`).on('error', () => {});

describe('a secret does not leave by a WebSocket', () => {
  it('in headers of the handshake that Connection names: they are not looked at, so they do not go', async () => {
    await using origin = await startOrigin();
    await using local = await startLocal(HERE);
    const named = 'Connection: Upgrade, user-agent, x-api-key, sec-websocket-protocol\r\n';
    const hidden = `User-Agent: ${MARK}\r\nX-Api-Key: ${MARK}\r\nSec-WebSocket-Protocol: ${MARK}\r\n`;
    await said(local.port, handshake(`ws://localhost:${origin.port}/`, named + hidden));
    await seen(origin, ({ kind }) => kind === 'handshake');
    assert.ok(!JSON.stringify(origin.got).includes(MARK));
  });

  it('in an address whose spelling is another one when it is sent', async () => {
    await using origin = await startOrigin();
    await using local = await startLocal(HERE);
    const [head, tail] = [MARK.slice(0, 5), MARK.slice(5)];
    for (const cut of ['\n', '\t', '\r']) {
      const url = encodeURIComponent(`ws://localhost:${origin.port}/x/${head}${cut}${tail}`);
      assert.match(await said(local.port, handshake(url)), /^HTTP\/1\.1 400 /, JSON.stringify(cut));
    }
    // What a WHATWG URL makes of it is what is judged and what is sent.
    const odd = encodeURIComponent(`ws://localhost:${origin.port}/a\\b/./c?q=\\`);
    assert.match(await said(local.port, handshake(odd)), /^HTTP\/1\.1 101 /);
    assert.equal(origin.got.length, 1);
    const [first] = origin.got;
    assert.equal(first?.kind === 'handshake' && first.url, '/a/b/c?q=\\');
  });

  it('in the reason of a close', async () => {
    await using origin = await startOrigin();
    await using local = await startLocal(HERE);
    const socket = through(local.port, `ws://localhost:${origin.port}/`);
    await once(socket, 'open');
    socket.close(3000, MARK);
    assert.deepEqual(await seen(origin, ({ kind }) => kind === 'close'), {
      kind: 'close',
      code: 1008,
      reason: 'policy violation',
    });
    await local.event('ws_blocked');
  });

  it('letter by letter, or with its end in the reason of a close', async () => {
    await using origin = await startOrigin();
    await using local = await startLocal(HERE);
    const letters = through(local.port, `ws://localhost:${origin.port}/`);
    await once(letters, 'open');
    for (const letter of MARK) letters.send(letter);
    const [code] = await once(letters, 'close');
    assert.equal(code, 1008);
    const messages = origin.got.filter(({ kind }) => kind === 'message');
    assert.ok(messages.length < MARK.length);

    const split = through(local.port, `ws://localhost:${origin.port}/`);
    await once(split, 'open');
    split.send(MARK.slice(0, 8));
    split.close(3000, MARK.slice(8));
    await eventually(
      () => (local.lines.filter(({ event }) => event === 'ws_blocked').length === 2 ? true : undefined),
      () => JSON.stringify(local.lines),
    );
    assert.ok(!JSON.stringify(origin.got).includes(MARK.slice(8)));
  });
});

describe('WebSockets of an agent do not use up those of the stand-in', () => {
  it('an agent that resets its connection while the server still thinks frees its place', async () => {
    const held: (() => void)[] = [];
    await using origin = await startOrigin((server, accept) => {
      server.on('upgrade', (request, socket, early) => held.push(() => accept(request, socket, early)));
    });
    await using local = await startLocal(SMALL);
    for (let i = 0; i < 6; i += 1) {
      const agent: Socket = connect(local.port, '127.0.0.1');
      agent.on('error', () => {});
      agent.write(handshake(`ws://localhost:${origin.port}/`));
      const answer = await eventually(
        () => held[i] ?? undefined,
        () => `handshake ${i} did not reach the server`,
      );
      const closed = once(agent, 'close');
      agent.resetAndDestroy();
      await closed;
      // The stand-in hears of the reset before the server answers: one turn of a connection of its own is enough.
      await said(local.port, 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
      answer();
      await eventually(
        () => (origin.got.filter(({ kind }) => kind === 'close').length > i ? true : undefined),
        () => 'the connection to the server was kept',
      );
    }
  });

  it('many that come at once do not all find room', async () => {
    await using origin = await startOrigin();
    await using local = await startLocal(SMALL);
    const sockets = Array.from({ length: 60 }, () => through(local.port, `ws://localhost:${origin.port}/`));
    await Promise.all(sockets.map((socket) => once(socket, 'open').catch(() => 'refused')));
    assert.equal(sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length, 4);
    for (const socket of sockets) socket.terminate();
  });
});

it('what an agent said before it closed is still delivered when looking at it takes time', async () => {
  await using origin = await startOrigin();
  const slow: Scanner = {
    scan: () => new Promise((resolve) => setTimeout(() => resolve({ ok: true, findings: [], unlisted: 0 }), 20)),
    async close() {},
  };
  const standIn = await startStandIn({ config: configWith(HERE), scanner: slow, log: () => {} });
  try {
    const socket = through(standIn.port, `ws://localhost:${origin.port}/`);
    await once(socket, 'open');
    for (let i = 0; i < 50; i += 1) socket.send(String(i));
    socket.close(3000, 'done');
    const close = await seen(origin, ({ kind }) => kind === 'close');
    assert.deepEqual(close, { kind: 'close', code: 3000, reason: 'done' });
    assert.equal(origin.got.filter(({ kind }) => kind === 'message').length, 50);
  } finally {
    await standIn.close();
  }
});

describe('a request that is refused', () => {
  it('is told why also where its body is still on the way', async () => {
    await using local = await startLocal({ ...HERE, max_body_bytes: 1000 });
    for (const framing of ['Content-Length: 4000000', 'Transfer-Encoding: chunked']) {
      const socket = connect(local.port, '127.0.0.1');
      let answer = '';
      socket.setEncoding('latin1').on('data', (text: string) => {
        answer += text;
      });
      socket.write(`POST http://localhost:1/ HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
      const piece = `3d090\r\n${'x'.repeat(250_000)}\r\n`;
      for (let sent = 0; sent < 4_000_000; sent += 250_000) {
        const part = framing.startsWith('Content') ? 'x'.repeat(250_000) : piece;
        await new Promise<void>((resolve, reject) => {
          socket.write(part, (error) => (error ? reject(error) : resolve()));
        });
      }
      if (!framing.startsWith('Content')) socket.write('0\r\n\r\n');
      await once(socket, 'close');
      assert.match(answer, /^HTTP\/1\.1 403 .*request body exceeds max_body_bytes/s, framing);
    }
  });

  it('does not hold its connection for ever where the rest of the body never comes', async () => {
    await using local = await startLocal({ ...HERE, max_body_bytes: 1000 });
    const socket = connect(local.port, '127.0.0.1').resume();
    socket.write('POST http://localhost:1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\nx');
    await once(socket, 'close', { signal: AbortSignal.timeout(15_000) });
  });

  it('gets its answer also when it is a HEAD, and that is no fault of the stand-in', async () => {
    await using local = await startLocal(HERE);
    for (const head of [
      'HEAD http://elsewhere.example.com/ HTTP/1.1\r\nHost: a\r\n\r\n',
      `HEAD http://localhost:1/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${MARK.length}\r\n\r\n${MARK}`,
      'HEAD http://localhost:1/ HTTP/1.1\r\nHost: a\r\n\r\n',
    ]) {
      assert.match(await said(local.port, head), /^HTTP\/1\.1 (403|502) /, head);
    }
    assert.ok(!local.lines.some(({ event }) => event === 'fault'));
  });
});

it('a body in pieces of one byte costs about what it weighs', async () => {
  await using origin = await startOrigin();
  await using local = await startLocal(HERE);
  const socket = connect(local.port, '127.0.0.1');
  socket.write(`POST http://localhost:${origin.port}/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const before = process.memoryUsage().rss;
  const pieces = '1\r\nx\r\n'.repeat(10_000);
  for (let i = 0; i < 100; i += 1) if (!socket.write(pieces)) await once(socket, 'drain');
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 150 * 1024 * 1024, `a body of 1 MB took ${Math.round(grown / 1e6)} MB`);
  socket.write('0\r\n\r\n');
  const [answer] = await once(socket, 'data');
  assert.match(String(answer), /^HTTP\/1\.1 200 /);
  socket.destroy();
});

it('a clock that is set back does not stop the requests to a domain', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 10 * 60 * 60 * 1000 });
  const withinRate = rateLimit(10);
  for (let i = 0; i < 5; i += 1) assert.ok(withinRate('api.example.com'));
  t.mock.timers.setTime(0);
  for (let i = 0; i < 5; i += 1) assert.ok(withinRate('api.example.com'));
  assert.equal(withinRate('api.example.com'), false);
});
