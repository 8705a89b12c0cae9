import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { findBinary } from '../../../daemons/pipelock/binary.ts';
import { answerOf, ask, open } from './client.ts';
import { DIFFERENCES } from './differences.ts';
import { type Launched, launchHealthy } from './launcher.ts';
import { BIG, type Origins, startOrigins } from './origins.ts';

const hasPipelock = findBinary(undefined, process.env.PATH) !== undefined;

/** Made up anew in each run; every engine knows the kind. */
const secret = `${'ghp'}_${randomBytes(27).toString('base64').replace(/[+/]/g, 'x')}`;

for (const engine of ['pipelock', 'embedded'] as const) {
  const skip = engine === 'pipelock' && !hasPipelock ? 'there is no pipelock on PATH' : false;

  describe(`what the engine ${engine} answers`, { skip }, () => {
    let origins: Origins;
    let proxy: Launched;
    let http = '';
    let https = '';

    before(async () => {
      origins = await startOrigins();
      http = `http://localhost:${origins.httpPort}`;
      https = `https://localhost:${origins.httpsPort}`;
      proxy = await launchHealthy({
        routes: { routes: [{ host: 'api.example.com', token_env: 'EGRESS_TOKEN_0', auth_header: 'X-Api-Key' }] },
        settings: {
          internal_hosts: ['localhost'],
          max_body_bytes: 100_000,
          max_url_length: 4096,
        },
        environment: { PIPELOCK_ENGINE: engine, SSL_CERT_FILE: origins.authority },
      });
    });
    after(async () => {
      await proxy[Symbol.asyncDispose]();
      await origins[Symbol.asyncDispose]();
    });

    /** The engine's own words on a request: by its URL, or where that could hold a secret, by its host. */
    const logged = (event: string, url: string) =>
      proxy.line((line) => line.event === event && String(line.url).startsWith(url));

    it('a GET over plain HTTP passes', async () => {
      const answer = await ask(proxy.port, `${http}/plain?q=1`);
      assert.equal(answer.status, 200);
      assert.deepEqual(JSON.parse(answer.body), { url: '/plain?q=1', length: 0 });
      await logged('forward_http', `${http}/plain`);
    });

    it('a POST with a JSON body passes to an https origin, and its plaintext was seen', async () => {
      const body = JSON.stringify({ prompt: 'hello' });
      const answer = await ask(proxy.port, `${https}/json`, { body, headers: { 'Content-Type': 'application/json' } });
      assert.equal(answer.status, 200);
      assert.equal(origins.received.at(-1)?.body, body);
      const line = await logged('forward_http', `${https}/json`);
      if (engine === 'embedded') assert.equal(line.scanned_body_bytes, body.length);
    });

    it('a chunked body passes whole, and its plaintext was seen', async () => {
      const answer = await ask(proxy.port, `${https}/chunked`, { chunks: ['one ', 'two ', 'three'] });
      assert.equal(answer.status, 200);
      assert.equal(origins.received.at(-1)?.body, 'one two three');
      await logged('forward_http', `${https}/chunked`);
    });

    it('the first event of a stream comes while the origin is still sending', async () => {
      const outgoing = open(proxy.port, `${https}/events`, { method: 'GET', headers: {} });
      outgoing.end();
      const answer = await answerOf(outgoing);
      assert.match(String(answer.headers['content-type']), /^text\/event-stream/);
      const [first] = await new Promise<Buffer[]>((resolve) => answer.once('data', (chunk) => resolve([chunk])));
      assert.equal(String(first), 'data: first\n\n');
      outgoing.destroy();
    });

    it('the body of a request for a stream is scanned', async () => {
      const answer = await ask(proxy.port, `${https}/events`, { body: JSON.stringify({ stream: true, key: secret }) });
      assert.equal(answer.status, 403);
      assert.match(answer.body, /^blocked: request body contains secret/);
    });

    it('messages of a WebSocket pass in both directions, with the protocol that the server chose', async () => {
      const socket = socketThrough(proxy, `wss://localhost:${origins.httpsPort}/chat`, ['chat.v1']);
      const [message] = await echoed(socket, 'hello over there');
      assert.equal(message, 'hello over there');
      assert.equal(socket.protocol, 'chat.v1');
      socket.close();
      await proxy.event('ws_open');
      const closed = await proxy.event('ws_close');
      assert.ok(JSON.stringify(closed).includes('/chat'));
    });

    it('a secret in a message of a WebSocket does not go out, and ends the connection', async () => {
      const socket = socketThrough(proxy, `wss://localhost:${origins.httpsPort}/leak`);
      const code = await closeCode(socket, `the key is ${secret}`);
      assert.equal(code, 1008);
      assert.ok(!origins.messages.some((message) => message.includes(secret)));
      await proxy.event('ws_blocked');
    });

    it('a host that is not listed is refused by name', async () => {
      const answer = await ask(proxy.port, 'https://unlisted.invalid/');
      assert.equal(answer.status, 403);
      assert.equal(answer.body, 'blocked: domain not in allowlist: unlisted.invalid\n');
      await logged('blocked', 'https://unlisted.invalid');
    });

    it('a secret in the query is refused, also percent-encoded', async () => {
      for (const text of [secret, secret.replace('_', '%5F')]) {
        const answer = await ask(proxy.port, `${http}/search?q=${text}`);
        assert.equal(answer.status, 403);
        assert.match(answer.body, /^blocked: /);
      }
    });

    it('a secret in a header is refused, whatever the header', async () => {
      for (const name of ['X-Debug', 'Cookie', 'User-Agent', 'Accept']) {
        const answer = await ask(proxy.port, `${http}/header`, { headers: { [name]: `a ${secret} b` } });
        assert.equal(answer.status, 403, name);
        assert.equal(answer.body, 'blocked: request header contains secret\n', name);
      }
      await logged(engine === 'embedded' ? 'blocked' : 'header_dlp', 'http://localhost');
    });

    it('a header that only egress can write passes with a credential', async () => {
      const headers = { Authorization: `Bearer ${secret}`, 'X-Api-Key': secret };
      const answer = await ask(proxy.port, `${https}/injected`, { headers });
      assert.equal(answer.status, 200);
      assert.equal(origins.received.at(-1)?.headers['x-api-key'], secret);
    });

    it('a secret in a JSON body is refused, also where JSON escapes hide it', async () => {
      const hidden = `\\u0067${secret.slice(1)}`;
      for (const body of [`{"a":"${secret}"}`, `{"a":"${hidden}"}`]) {
        const answer = await ask(proxy.port, `${https}/body`, {
          body,
          headers: { 'Content-Type': 'application/json' },
        });
        assert.equal(answer.status, 403);
        assert.match(answer.body, /^blocked: request body contains secret: /);
      }
      assert.ok(!origins.received.some(({ body }) => body.includes(secret)));
    });

    it('a secret that is cut in two by chunks is refused', async () => {
      const chunks = ['x'.repeat(500), secret.slice(0, 20), secret.slice(20)];
      const answer = await ask(proxy.port, `${https}/cut`, { chunks });
      assert.equal(answer.status, 403);
      assert.match(answer.body, /^blocked: request body contains secret: /);
    });

    it('no answer and no line of the log repeats a secret', () => {
      assert.ok(proxy.lines.length > 0);
      assert.ok(!proxy.lines.some((line) => JSON.stringify(line).includes(secret)));
    });

    it('a body over the limit is refused, with and without a length', async () => {
      const long = 'x'.repeat(100_001);
      for (const sent of [{ body: long }, { chunks: [long] }]) {
        const answer = await ask(proxy.port, `${https}/long`, { method: 'POST', ...sent });
        assert.equal(answer.status, 403);
        assert.equal(answer.body, 'blocked: request body exceeds max_body_bytes (100000)\n');
      }
    });

    it('a compressed body is refused', async () => {
      const headers = { 'Content-Encoding': 'gzip' };
      const answer = await ask(proxy.port, `${https}/gzip`, { body: gzipSync(secret), headers });
      assert.equal(answer.status, 403);
      assert.match(answer.body, /^blocked: request body uses Content-Encoding "gzip"; compressed bodies cannot be/);
    });

    it('a URL over the limit is refused', async () => {
      const answer = await ask(proxy.port, `${http}/${'long/'.repeat(1000)}`);
      assert.equal(answer.status, 403);
      assert.match(answer.body, /^blocked: URL length \d+ exceeds maximum 4096\n$/);
    });

    it('encoded line breaks and paths that lead upwards are refused', async () => {
      for (const path of ['/a%0d%0aX-Evil:1', '/a/../../etc/passwd', '/a/%2e%2e/b']) {
        const answer = await ask(proxy.port, `${http}${path}`);
        assert.equal(answer.status, 403, path);
      }
    });

    it('a tunnel opens to a listed host under its own name only', async () => {
      const port = origins.httpsPort;
      const good = await tunnel(proxy.port, `localhost:${port}`);
      assert.equal(good.status, 200);
      assert.equal(await serverSpeaks(good.socket, 'localhost'), true);
      const evil = await tunnel(proxy.port, `localhost:${port}`);
      assert.equal(await serverSpeaks(evil.socket, 'elsewhere.example.com'), false);
      assert.equal((await tunnel(proxy.port, 'unlisted.invalid:443')).status, 403);
    });

    it('a big download passes whole, and is not held in memory', async () => {
      const pid = Number(proxy.child.pid);
      const before = await residentOf(pid);
      const outgoing = open(proxy.port, `${http}/big`, { method: 'GET', headers: {} });
      outgoing.end();
      const answer = await answerOf(outgoing);
      let bytes = 0;
      for await (const chunk of answer) bytes += chunk.length;
      assert.equal(bytes, BIG);
      if (engine === 'embedded') assert.ok((await residentOf(pid)) - before < BIG / 2);
    });

    it('a redirect is answered as the table of differences says', async () => {
      const answer = await ask(proxy.port, `${http}/redirect`);
      assert.equal(answer.status, engine === 'pipelock' ? 200 : 302);
    });

    it('more requests a minute to a domain than allowed are answered with 429', async () => {
      await using slow = await launchHealthy({
        settings: { internal_hosts: ['localhost'], requests_per_minute: 3 },
        environment: { PIPELOCK_ENGINE: engine },
      });
      const statuses: number[] = [];
      for (let i = 0; i < 5; i++) statuses.push((await ask(slow.port, `${http}/rate`)).status);
      assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
    });

    it('health tells the engine and that it scans', async () => {
      const { status, body } = await proxy.health();
      assert.equal(status, 200);
      assert.equal(body.engine, engine);
      assert.equal(typeof body.warning, engine === 'embedded' ? 'string' : 'undefined');
      const own = await fetch(`http://127.0.0.1:${proxy.port}/health`);
      const words: unknown = await own.json();
      assert.deepEqual(
        { ...Object(words), version: 0, uptime_seconds: 0, dlp_patterns: 0, engine: 0 },
        { ...Object(words), ...EXPECTED_HEALTH, version: 0, uptime_seconds: 0, dlp_patterns: 0, engine: 0 },
      );
    });

    it('metrics are told on a port of their own', async () => {
      const text = await (await fetch(`http://127.0.0.1:${proxy.metricsPort}/metrics`)).text();
      assert.match(text, /^pipelock_requests_total\{/m);
      assert.match(text, /^pipelock_kill_switch_active/m);
    });
  });

  describe(`private places with the engine ${engine}`, { skip }, () => {
    let proxy: Launched;

    before(async () => {
      proxy = await launchHealthy({
        settings: { extra_hosts: ['localhost', '10.0.0.1', '169.254.169.254', '127.0.0.1', '::1'] },
        environment: { PIPELOCK_ENGINE: engine },
      });
    });
    after(() => proxy[Symbol.asyncDispose]());

    it('a listed name that resolves to a private address is refused after it is resolved', async () => {
      const answer = await ask(proxy.port, 'http://localhost/');
      assert.equal(answer.status, 403);
      assert.match(answer.body, /^blocked: SSRF blocked: localhost resolves to internal IP (127\.0\.0\.1|::1)\n$/);
    });

    it('private, loopback and metadata addresses are refused although they are listed', async () => {
      for (const host of [
        '10.0.0.1',
        '169.254.169.254',
        '127.0.0.1',
        '[::1]',
        '2130706433',
        '0x7f.1',
        '[::ffff:127.0.0.1]',
      ]) {
        const answer = await ask(proxy.port, `http://${host}/`, { headers: { Host: 'x' } });
        assert.equal(answer.status, 403, host);
        assert.match(answer.body, /^blocked: /, host);
      }
    });

    it('a tunnel and a WebSocket to a private address are refused as well', async () => {
      assert.equal((await tunnel(proxy.port, '169.254.169.254:443')).status, 403);
      const answer = await upgradeStatus(proxy, 'ws://169.254.169.254/');
      assert.equal(answer, 403);
    });
  });
}

const EXPECTED_HEALTH = {
  status: 'healthy',
  mode: 'strict',
  response_scan_enabled: false,
  git_protection_enabled: false,
  rate_limit_enabled: true,
  forward_proxy_enabled: true,
  websocket_proxy_enabled: true,
  request_body_scan_enabled: true,
  tls_interception_enabled: false,
  kill_switch_active: false,
};

it('the differences of the two engines', (context) => {
  for (const { what, pipelock, embedded } of DIFFERENCES) {
    context.diagnostic(`${what} | pipelock: ${pipelock} | stand-in: ${embedded}`);
  }
});

function socketThrough(proxy: Launched, url: string, protocols: readonly string[] = []): WebSocket {
  return new WebSocket(`ws://127.0.0.1:${proxy.port}/ws?url=${encodeURIComponent(url)}`, [...protocols]);
}

/** Sends messages one after the other and collects as many that come back. */
async function echoed(socket: WebSocket, ...messages: readonly string[]): Promise<string[]> {
  const back: string[] = [];
  await new Promise((resolve, reject) => {
    socket.once('open', () => {
      for (const message of messages) socket.send(message);
    });
    socket.on('error', reject);
    socket.on('message', (data) => {
      back.push(String(data));
      if (back.length === messages.length) resolve(undefined);
    });
  });
  return back;
}

function closeCode(socket: WebSocket, message: string): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.once('open', () => socket.send(message));
    socket.once('error', reject);
    socket.once('close', resolve);
  });
}

function upgradeStatus(proxy: Launched, url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const socket = socketThrough(proxy, url);
    socket.once('open', () => reject(new Error('it opened')));
    socket.once('error', () => {});
    socket.once('unexpected-response', (_request, response) => {
      resolve(response.statusCode);
      response.destroy();
    });
  });
}

/** Asks for a tunnel. */
function tunnel(port: number, authority: string): Promise<{ status: number; socket: Socket }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('data', (head) => resolve({ status: Number(/ (\d{3}) /.exec(String(head))?.[1]), socket }));
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  });
}

/** Whether somebody at the other end of a tunnel goes through with a TLS handshake. */
function serverSpeaks(socket: Socket, servername: string): Promise<boolean> {
  return new Promise((resolve) => {
    const tls = connectTls({ socket, servername, rejectUnauthorized: false });
    tls.once('secureConnect', () => {
      resolve(true);
      tls.destroy();
    });
    tls.once('error', () => resolve(false));
    tls.once('close', () => resolve(false));
  });
}

/** Bytes of memory that a process has. */
async function residentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
