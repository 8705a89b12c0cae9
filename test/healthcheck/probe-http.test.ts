import assert from 'node:assert/strict';
import https from 'node:https';
import type net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import type { Check } from '../../healthcheck/probe/check.ts';
import { probe } from '../../healthcheck/probe/probe.ts';
import { deafPort, httpCheck, httpTarget, listen, rawTarget, temporaryDirectory } from './targets.ts';

const execute = () => assert.fail('an http probe runs no program');
const ask = (check: Check) => probe(check, { execute });
/** For what never answers: as short as a test likes it. */
const SHORT = 150;

test('an answer of 200 to 399 passes, everything else fails, and the detail names both', async (t) => {
  const { port, url } = await httpTarget(t, (request, response) => {
    response.writeHead(Number(request.url?.slice(1))).end('body');
  });
  for (const status of [200, 204, 301, 399, 400, 404, 500, 503]) {
    const { passed, detail } = await ask(httpCheck({ port, path: `/${status}` }));
    assert.deepEqual({ passed, detail }, { passed: status < 400, detail: `GET ${url}/${status}: ${status}` });
  }
});

test('a JSON answer says in its body why it fails, or what is to be known although it passes', async (t) => {
  const { port, url } = await httpTarget(t, (request, response) => {
    const isWell = request.url === '/well';
    response.writeHead(isWell ? 200 : 503, { 'content-type': 'application/health+json; charset=utf-8' });
    response.end(JSON.stringify(isWell ? { warning: 'a stand-in\nruns' } : { reason: 'the kill switch is on' }));
  });
  const well = await ask(httpCheck({ port, path: '/well' }));
  assert.deepEqual([well.passed, well.detail, well.remark], [true, `GET ${url}/well: 200`, 'a stand-in']);
  const ill = await ask(httpCheck({ port, path: '/ill' }));
  assert.deepEqual([ill.passed, ill.remark], [false, undefined]);
  assert.equal(ill.detail, `GET ${url}/ill: 503: the kill switch is on`);
});

test('a body that is no JSON object changes nothing, whatever its type says', async (t) => {
  const { port, url } = await httpTarget(t, (request, response) => {
    response
      .writeHead(503, { 'content-type': 'application/json' })
      .end(decodeURIComponent(request.url?.slice(1) ?? ''));
  });
  for (const body of ['{', 'null', '[1]', '{"reason":1}']) {
    const { detail } = await ask(httpCheck({ port, path: `/${encodeURIComponent(body)}` }));
    assert.equal(detail, `GET ${url}/${encodeURIComponent(body)}: 503`);
  }
});

test('a list of codes replaces 200 to 399', async (t) => {
  const { port } = await httpTarget(t, (_, response) => response.writeHead(401).end());
  assert.equal((await ask(httpCheck({ port, status: [401, 403] }))).passed, true);
  assert.equal((await ask(httpCheck({ port, status: [200] }))).passed, false);
});

test('a redirect is not followed', async (t) => {
  const seen: (string | undefined)[] = [];
  const { port } = await httpTarget(t, (request, response) => {
    seen.push(request.url);
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  assert.equal((await ask(httpCheck({ port, path: '/here' }))).passed, true);
  assert.deepEqual(seen, ['/here']);
});

test('it is a GET on a connection of its own, with the headers of the check before its own', async (t) => {
  const requests: unknown[] = [];
  const { port } = await httpTarget(t, ({ method, url, headers }, response) => {
    requests.push({ method, url, host: headers.host, agent: headers['user-agent'], connection: headers.connection });
    response.end();
  });
  await ask(httpCheck({ port, path: '/a?b=c' }));
  await ask(httpCheck({ port, path: '/', headers: { Host: 'example.org', 'User-Agent': 'me' } }));
  assert.deepEqual(requests, [
    { method: 'GET', url: '/a?b=c', host: `127.0.0.1:${port}`, agent: 'bottled', connection: 'close' },
    { method: 'GET', url: '/', host: 'example.org', agent: 'me', connection: 'close' },
  ]);
});

test('the query, which may hold a token, is not in the detail', async (t) => {
  const { port, url } = await httpTarget(t, (_, response) => response.end());
  assert.equal((await ask(httpCheck({ port, path: '/health?token=hush' }))).detail, `GET ${url}/health: 200`);
});

test('of a body longer than 64 KiB the rest is not waited for', async (t) => {
  const { port, url } = await httpTarget(t, (_, response) => {
    const pour = (): void => {
      while (response.write(Buffer.alloc(16_384))) if (response.destroyed) return;
    };
    response.on('drain', pour);
    response.on('error', () => {});
    pour();
  });
  const { passed, detail } = await ask(httpCheck({ port }));
  assert.deepEqual({ passed, detail }, { passed: true, detail: `GET ${url}/: 200` });
});

test('a body that trickles without end fails in time', async (t) => {
  const { port, url } = await httpTarget(t, (_, response) => {
    const timer = setInterval(() => response.write('.'), 5);
    response.on('close', () => clearInterval(timer));
  });
  const { passed, detail } = await ask(httpCheck({ port }, 1_000));
  assert.equal(passed, false);
  assert.equal(detail, `GET ${url}/: 200, but its body did not end within 1000 ms`);
});

const BROKEN: readonly [string, (socket: net.Socket) => void, string, number?][] = [
  ['accepts and never answers', () => {}, `no answer within ${SHORT} ms`, SHORT],
  [
    'sends its headers slowly without end',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('x: y\r\n'), 5);
      socket.on('close', () => clearInterval(timer));
    },
    `no answer within ${SHORT} ms`,
    SHORT,
  ],
  ['speaks another protocol', (socket) => socket.end('220 mail.example.org ESMTP\r\n'), 'the answer is not HTTP'],
  ['closes at once', (socket) => socket.destroy(), 'connection closed without an answer'],
  ['resets at once', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'connection reset'],
  [
    'sends headers without measure',
    (socket) => socket.end(`HTTP/1.1 200 OK\r\n${'x: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(2_000)}`),
    'headers of the answer are too large',
  ],
  [
    'promises more body than it sends',
    (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort'),
    '200, but its body broke off',
  ],
  [
    'sends garbage in place of a chunk',
    (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzzzz\r\n'),
    '200, but its body broke off',
  ],
  [
    'resets after an answer that fails',
    (socket) => {
      socket.write('HTTP/1.1 500 No\r\ncontent-length: 100\r\n\r\nshort');
      setImmediate(() => socket.resetAndDestroy());
    },
    '500',
  ],
  [
    'switches to a protocol that nobody asked for',
    (socket) => socket.write('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    '101',
  ],
];

for (const [does, talk, said, timeout] of BROKEN) {
  test(`a target that ${does} fails with a clear word`, async (t) => {
    const { port, url } = await rawTarget(t, (socket) => {
      socket.resume();
      talk(socket);
    });
    const { passed, detail } = await ask(httpCheck({ port }, timeout));
    assert.deepEqual({ passed, detail }, { passed: false, detail: `GET ${url}/: ${said}` });
  });
}

test('where nobody listens the connection is refused', async () => {
  const port = await deafPort();
  assert.equal((await ask(httpCheck({ port }))).detail, `GET http://127.0.0.1:${port}/: connection refused`);
  assert.equal(
    (await ask(httpCheck({ port, host: 'localhost' }))).detail,
    `GET http://localhost:${port}/: connection refused`,
  );
});

test('a check that HTTP cannot express fails instead of throwing', async () => {
  for (const target of [{ path: '/with a space' }, { headers: { 'bad name': 'x' } }, { headers: { x: 'a\r\nb: c' } }]) {
    const { passed, detail } = await ask(httpCheck({ port: 1, ...target }));
    assert.equal(passed, false);
    assert.match(detail, /^GET http:\/\/127\.0\.0\.1:1\/.*: \S/);
  }
});

test('a long path does not push the outcome out of the detail', async (t) => {
  const { port } = await httpTarget(t, (_, response) => response.writeHead(503).end());
  const { detail } = await ask(httpCheck({ port, path: `/${'long/'.repeat(200)}` }));
  assert.ok(detail.length <= 200);
  assert.match(detail, /…: 503$/);
});

test('https is not verified; a plain server is no TLS server', async (t) => {
  const directory = temporaryDirectory(t);
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  await execa('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
    ...['-subj', '/CN=somebody else', '-keyout', key, '-out', cert],
  ]);
  const { readFileSync } = await import('node:fs');
  const secure = await listen(
    t,
    https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => response.end('ok')),
  );
  const plain = await httpTarget(t, (_, response) => response.end());
  const good = await ask(httpCheck({ port: secure.port, scheme: 'https' }));
  assert.deepEqual([good.passed, good.detail], [true, `GET https://127.0.0.1:${secure.port}/: 200`]);
  const bad = await ask(httpCheck({ port: plain.port, scheme: 'https' }));
  assert.deepEqual([bad.passed, bad.detail], [false, `GET https://127.0.0.1:${plain.port}/: TLS handshake failed`]);
});

test('a proxy in the environment is not used', async (t) => {
  const { port } = await httpTarget(t, (_, response) => response.end());
  const proxy = await rawTarget(t, () => assert.fail('the probe asked the proxy'));
  const source = `
    import { probe } from ${JSON.stringify(new URL('../../healthcheck/probe/probe.ts', import.meta.url).href)};
    const result = await probe(JSON.parse(process.argv[1]), { execute: undefined });
    console.log(JSON.stringify(result.passed));`;
  const { stdout } = await execa(
    process.execPath,
    ['--input-type=module', '-e', source, JSON.stringify(httpCheck({ port }))],
    { env: { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy.url, http_proxy: proxy.url, NO_PROXY: '' } },
  );
  assert.equal(stdout, 'true');
});

test('many probes at once do not disturb one another', async (t) => {
  const { port, url } = await httpTarget(t, (request, response) => {
    setImmediate(() => response.writeHead(Number(request.url?.slice(1))).end());
  });
  const codes = Array.from({ length: 100 }, (_, n) => 200 + n * 3);
  const results = await Promise.all(codes.map((code) => ask(httpCheck({ port, path: `/${code}` }))));
  assert.deepEqual(
    results.map((result) => result.detail),
    codes.map((code) => `GET ${url}/${code}: ${code}`),
  );
});
