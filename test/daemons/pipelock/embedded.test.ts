import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { createServer, request as httpRequest, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { answerOf, ask, open } from './client.ts';
import { configWith, type Local, MARK, startLocal } from './stand-in.ts';

const HERE = { internal_hosts: ['localhost'] };

interface Origin extends AsyncDisposable {
  readonly port: number;
  readonly messages: readonly string[];
}

async function startOrigin(listener: RequestListener, host = '127.0.0.1', port = 0): Promise<Origin> {
  const server = createServer(listener);
  const messages: string[] = [];
  new WebSocketServer({ server }).on('connection', (socket) => {
    socket.on('message', (data) => {
      messages.push(String(data));
      socket.send(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    messages,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () =>
    response.end(JSON.stringify({ headers: request.headers, body: String(Buffer.concat(chunks)) })),
  );
};

describe('where the stand-in connects to', () => {
  const at = (address: string): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 });
  const settings = { extra_hosts: ['api.example.com'], ip_allowlist: ['127.0.0.1/32'] };

  it('a name that changes its address between check and connection is dialled where it was checked', async () => {
    await using origin = await startOrigin((_request, response) => response.end('the checked one'));
    await using _trap = await startOrigin((_request, response) => response.end('the trap'), '127.0.0.2', origin.port);
    let asked = 0;
    await using local = await startLocal(settings, async () => {
      asked += 1;
      return [at(asked === 1 ? '127.0.0.1' : '127.0.0.2')];
    });
    const url = `http://api.example.com:${origin.port}/`;
    assert.equal((await ask(local.port, url)).body, 'the checked one');
    assert.equal(asked, 1, 'one request asks once');
    const second = await ask(local.port, url);
    assert.equal(second.status, 403);
    assert.equal(second.body, 'blocked: SSRF blocked: api.example.com resolves to internal IP 127.0.0.2\n');
  });

  it('one private address among many is enough for a refusal', async () => {
    for (const bad of ['10.0.0.5', '169.254.169.254', '::1', 'fd00:ec2::254', '100.64.0.1', '::ffff:10.0.0.1']) {
      await using local = await startLocal(settings, async () => [at('127.0.0.1'), at(bad)]);
      assert.equal((await ask(local.port, 'http://api.example.com/')).status, 403, bad);
      const socket = await closedBy(local, 'ws://api.example.com/');
      assert.equal(socket, 403, bad);
    }
  });

  it('an internal host may lead to a neighbour, and not to metadata or to what is no place of a server', async () => {
    const trusting = { internal_hosts: ['model.example.com'] };
    for (const bad of [
      '169.254.169.254',
      '169.254.0.1',
      'fd00:ec2::254',
      '100.100.100.200',
      '0.0.0.0',
      'fe80::1',
      '::',
    ]) {
      await using local = await startLocal(trusting, async () => [at(bad)]);
      const { status, body } = await ask(local.port, 'http://model.example.com/');
      assert.equal(status, 403, bad);
      assert.equal(body, `blocked: SSRF blocked: model.example.com resolves to internal IP ${bad}\n`);
    }
    await using origin = await startOrigin((_request, response) => response.end('the neighbour'));
    await using local = await startLocal(trusting, async () => [at('127.0.0.1')]);
    assert.equal((await ask(local.port, `http://model.example.com:${origin.port}/`)).body, 'the neighbour');
  });

  it('a name that does not resolve is refused, not retried', async () => {
    await using local = await startLocal(settings, () =>
      Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })),
    );
    const { body } = await ask(local.port, 'http://api.example.com/');
    assert.equal(body, 'blocked: SSRF check failed: DNS resolution error for api.example.com: ENOTFOUND\n');
  });

  it('a secret in a name of a host is found before anybody is asked for it', async () => {
    let asked = 0;
    await using local = await startLocal({ extra_hosts: ['*.example.com'] }, async () => {
      asked += 1;
      return [];
    });
    // Names are in lower case by then.
    const answer = await ask(local.port, `http://x.example.com/?${MARK}`);
    assert.equal(answer.status, 403);
    assert.equal(asked, 0);
  });

  it('a reload takes a host away at once, also from connections that are kept', async () => {
    await using origin = await startOrigin(echo);
    await using local = await startLocal(HERE);
    const url = `http://localhost:${origin.port}/`;
    assert.equal((await ask(local.port, url)).status, 200);
    local.standIn.reload(configWith({}));
    assert.equal((await ask(local.port, url)).status, 403);
  });
});

describe('what the stand-in lets out', () => {
  it('what cannot be scanned is refused', async () => {
    await using local = await startLocal(HERE);
    for (const sent of [{ body: 'CANNOT-BE-SCANNED' }, { headers: { 'X-A': 'CANNOT-BE-SCANNED' } }]) {
      const { status, body } = await ask(local.port, 'http://localhost:1/', sent);
      assert.equal(status, 403);
      assert.equal(body, 'blocked: request could not be scanned for secrets: it took too long\n');
    }
  });

  it('the host of the URL counts, whatever the Host header says', async () => {
    await using origin = await startOrigin(echo);
    await using local = await startLocal(HERE);
    const answer = await ask(local.port, `http://localhost:${origin.port}/`, { headers: { Host: 'evil.example.com' } });
    assert.equal(JSON.parse(answer.body).headers.host, `localhost:${origin.port}`);
  });

  it('hop-by-hop headers end here, also those that Connection names', async () => {
    await using origin = await startOrigin(echo);
    await using local = await startLocal(HERE);
    const headers = { Connection: 'x-private', 'X-Private': '1', 'Proxy-Authorization': 'Basic eDp5', 'X-Public': '2' };
    const { body } = await ask(local.port, `http://localhost:${origin.port}/`, { headers });
    const got = JSON.parse(body).headers;
    assert.deepEqual([got['x-private'], got['proxy-authorization'], got['x-public']], [undefined, undefined, '2']);
  });

  it('a request that two servers could read differently is refused', async () => {
    await using local = await startLocal(HERE);
    for (const head of [
      'POST http://localhost/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST http://localhost/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
      'GET http://localhost/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
      'GET http://user:password@localhost/ HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET ftp://localhost/ HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET http:///path HTTP/1.1\r\nHost: a\r\n\r\n',
    ]) {
      assert.match(await spoken(local.port, head), /^HTTP\/1\.1 400 /, head);
    }
  });

  it('bytes that no URL or handshake can hold end their own request and nothing else', async () => {
    await using origin = await startOrigin(echo);
    await using local = await startLocal(HERE);
    const at = `http://localhost:${origin.port}`;
    for (const head of [
      Buffer.from(`GET ${at}/\xff HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, 'latin1'),
      Buffer.from(`GET ${at}/ HTTP/1.1\r\nHost: a\r\nX-A: \xff\xfe\r\nConnection: close\r\n\r\n`, 'latin1'),
      Buffer.from('CONNECT localhost:99999 HTTP/1.1\r\nHost: a\r\n\r\n'),
      Buffer.from('CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n'),
      Buffer.from('GET /ws?url=%ff HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
      Buffer.from(
        `GET /ws?url=ws://localhost:${origin.port}/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: a b, a b\r\n\r\n',
      ),
    ]) {
      assert.match(await spoken(local.port, head), /^HTTP\/1\.1 \d{3} /, String(head));
    }
    assert.equal((await ask(local.port, `${at}/`)).status, 200);
    assert.ok(!local.lines.some(({ event }) => event === 'fault'));
  });

  it('trailers of a request are refused: they cannot be scanned', async () => {
    await using local = await startLocal(HERE);
    for (const announced of ['Trailer: X-T\r\n', '']) {
      const head = `POST http://localhost:1/ HTTP/1.1\r\nHost: a\r\n${announced}Transfer-Encoding: chunked\r\n\r\n`;
      const said = await spoken(local.port, `${head}1\r\nx\r\n0\r\nX-T: ${MARK}\r\n\r\n`);
      assert.match(said, /^HTTP\/1\.1 403 .*request trailers cannot be scanned/s);
    }
  });

  it('a client that waits for 100 gets it, unless its request is refused already', async () => {
    await using origin = await startOrigin(echo);
    await using local = await startLocal(HERE);
    const headers = { Expect: '100-continue', 'Content-Length': '2' };
    const good = open(local.port, `http://localhost:${origin.port}/`, { method: 'POST', headers });
    good.flushHeaders();
    await new Promise((resolve) => good.once('continue', resolve));
    good.end('ok');
    assert.equal((await answerOf(good)).statusCode, 200);
    const bad = open(local.port, 'http://elsewhere.example.com/', { method: 'POST', headers });
    bad.once('continue', () => assert.fail('no body was wanted'));
    bad.flushHeaders();
    assert.equal((await answerOf(bad)).statusCode, 403);
    bad.destroy();
  });

  it('bodies are counted in all: more than the memory for them are put off', async () => {
    await using local = await startLocal({ ...HERE, max_body_bytes: 64 * 1024 * 1024 });
    const many = Array.from({ length: 3 }, () => {
      const outgoing = open(local.port, 'http://localhost:1/', { method: 'POST', headers: {} });
      outgoing.on('error', () => {});
      outgoing.write(Buffer.alloc(60 * 1024 * 1024));
      return outgoing;
    });
    const first = await Promise.race(many.map(answerOf));
    assert.equal(first.statusCode, 503);
    for (const outgoing of many) outgoing.destroy();
  });
});

describe('what comes back through the stand-in', () => {
  it('HEAD, 204 and 304 have no body, and length and trailers are kept', async () => {
    await using origin = await startOrigin((request, response) => {
      if (request.url === '/204') response.writeHead(204).end();
      else if (request.url === '/304') response.writeHead(304, { ETag: '"1"' }).end();
      else if (request.url === '/trailers') {
        response.writeHead(200, { Trailer: 'X-Sum' });
        response.write('body');
        response.addTrailers({ 'X-Sum': '42' });
        response.end();
      } else response.writeHead(200, { 'Content-Length': '10' }).end('0123456789');
    });
    await using local = await startLocal(HERE);
    const at = (path: string) => `http://localhost:${origin.port}${path}`;
    const headed = await ask(local.port, at('/'), { method: 'HEAD' });
    assert.deepEqual([headed.status, headed.headers['content-length'], headed.body], [200, '10', '']);
    assert.equal((await ask(local.port, at('/204'))).status, 204);
    assert.equal((await ask(local.port, at('/304'))).status, 304);
    const outgoing = open(local.port, at('/trailers'), { method: 'GET', headers: {} });
    outgoing.end();
    const answer = await answerOf(outgoing);
    answer.resume();
    await new Promise((resolve) => answer.once('end', resolve));
    assert.deepEqual(answer.trailers, { 'x-sum': '42' });
  });

  it('an origin that breaks off is no complete answer', async () => {
    await using origin = await startOrigin((_request, response) => {
      response.writeHead(200);
      response.write('half', () => response.destroy());
    });
    await using local = await startLocal(HERE);
    await assert.rejects(ask(local.port, `http://localhost:${origin.port}/`));
    await local.event('error');
  });

  it('an agent that goes away frees the origin', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await using origin = await startOrigin((_request, response) => {
      response.once('close', resolve);
      response.write('begun');
    });
    await using local = await startLocal(HERE);
    const outgoing = open(local.port, `http://localhost:${origin.port}/`, { method: 'GET', headers: {} });
    outgoing.end();
    const answer = await answerOf(outgoing);
    answer.once('data', () => outgoing.destroy());
    await promise;
  });

  it('an agent that does not read makes the origin wait', async () => {
    let sent = 0;
    await using origin = await startOrigin((_request, response) => {
      const chunk = Buffer.alloc(64 * 1024);
      (function more() {
        while (response.write(chunk)) sent += chunk.length;
        response.once('drain', more);
      })();
    });
    await using local = await startLocal(HERE);
    const outgoing = open(local.port, `http://localhost:${origin.port}/`, { method: 'GET', headers: {} });
    outgoing.end();
    const answer = await answerOf(outgoing);
    answer.pause();
    let before = -1;
    while (sent !== before) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(sent < 32 * 1024 * 1024, `${sent} bytes were taken from the origin`);
    outgoing.destroy();
  });

  it('an origin that cannot be reached is a 502 with the reason', async () => {
    await using local = await startLocal(HERE);
    const answer = await ask(local.port, 'http://localhost:1/');
    assert.equal(answer.status, 502);
    assert.match(answer.body, /^forward proxy fetch failed: ECONNREFUSED/);
  });

  it('a certificate that nobody vouches for is a 502', async () => {
    const { startOrigins } = await import('./origins.ts');
    await using origins = await startOrigins();
    await using local = await startLocal(HERE);
    const answer = await ask(local.port, `https://localhost:${origins.httpsPort}/`);
    assert.equal(answer.status, 502);
    assert.equal(origins.received.length, 0);
  });
});

describe('a WebSocket through the stand-in', () => {
  const through = (local: Local, port: number) =>
    new WebSocket(`ws://127.0.0.1:${local.port}/ws?url=${encodeURIComponent(`ws://localhost:${port}/`)}`);

  it('messages keep their order and nothing is lost', async () => {
    await using origin = await startOrigin(echo);
    await using local = await startLocal(HERE);
    const socket = through(local, origin.port);
    const back: string[] = [];
    await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => {
        for (let i = 0; i < 500; i++) socket.send(`${i} ${'x'.repeat(i)}`);
      });
      socket.on('message', (data) => {
        back.push(String(data).split(' ')[0] ?? '');
        if (back.length === 500) resolve(undefined);
      });
    });
    assert.deepEqual(
      back,
      Array.from({ length: 500 }, (_, i) => String(i)),
    );
    socket.close();
    const { text_messages } = await local.event('ws_close');
    assert.equal(text_messages, 500);
  });

  it('a secret that is cut in two messages ends it, and binary messages do too', async () => {
    await using origin = await startOrigin(echo);
    await using local = await startLocal(HERE);
    for (const messages of [[MARK.slice(0, 6), MARK.slice(6)], [Buffer.from('binary')]]) {
      const socket = through(local, origin.port);
      socket.once('open', () => {
        for (const message of messages) socket.send(message);
      });
      const code = await new Promise((resolve) => socket.once('close', resolve));
      assert.equal(code, 1008);
    }
    assert.ok(!origin.messages.includes(MARK.slice(6)));
    assert.ok(!origin.messages.includes('binary'));
  });

  it('binary messages pass where they are allowed, and are scanned', async () => {
    await using origin = await startOrigin(echo);
    await using local = await startLocal({ ...HERE, websocket: { binary: true } });
    const socket = through(local, origin.port);
    socket.once('open', () => socket.send(Buffer.from([0, 255, 1])));
    const data = await new Promise((resolve) => socket.once('message', resolve));
    assert.deepEqual(data, Buffer.from([0, 255, 1]));
    socket.send(Buffer.from(`\u0000${MARK}`));
    assert.equal(await new Promise((resolve) => socket.once('close', resolve)), 1008);
  });

  it('a message over the limit ends it', async () => {
    await using origin = await startOrigin(echo);
    await using local = await startLocal({ ...HERE, websocket: { max_message_bytes: 1000 } });
    const socket = through(local, origin.port);
    socket.once('open', () => socket.send('x'.repeat(1001)));
    assert.equal(await new Promise((resolve) => socket.once('close', resolve)), 1009);
    assert.deepEqual(origin.messages, []);
  });

  it('a server that does not want it is a 502, and a silent connection ends', async () => {
    await using plain = await startPlain();
    await using local = await startLocal({ ...HERE, idle_timeout: '1s' });
    assert.equal(await closedBy(local, `ws://localhost:${plain.port}/`), 502);
    await using origin = await startOrigin(echo);
    const socket = through(local, origin.port);
    assert.equal(await new Promise((resolve) => socket.once('close', resolve)), 1001);
  });

  it('an upgrade of an absolute URI is told the way', async () => {
    await using local = await startLocal(HERE);
    const outgoing = httpRequest({
      port: local.port,
      path: 'http://localhost/',
      headers: { Connection: 'Upgrade', Upgrade: 'websocket' },
    });
    outgoing.end();
    assert.equal((await answerOf(outgoing)).statusCode, 501);
  });
});

/** A server that knows nothing of WebSocket. */
async function startPlain(): Promise<Origin> {
  const server = createServer((_request, response) => response.end('plain'));
  server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    messages: [],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The status with which a handshake is refused. */
function closedBy(local: Local, url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${local.port}/ws?url=${encodeURIComponent(url)}`);
    socket.on('error', () => {});
    socket.once('unexpected-response', (_request, response) => {
      resolve(response.statusCode);
      response.destroy();
    });
  });
}

/** Says it byte by byte as it stands and returns all that comes back. */
function spoken(port: number, text: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      said += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(said));
  });
}
