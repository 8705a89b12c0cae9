import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { WebSocket, WebSocketServer } from 'ws';
import { type Bottle, startBottle } from './bottle.ts';
import { LOCAL_SETTINGS, type Service, startService, trusting } from './world.ts';

/** What an agent tries from inside its container, on the whole bundle as bin/bottled runs it, with pipelock's stand-in. */

const TOKEN = ['attack', randomBytes(15).toString('base64url'), '0+/='].join('-');
const CANARY = ['canary', randomBytes(18).toString('base64url')].join('-');

function routesTo(service: Service): string {
  return `log: 1
routes:
  - { host: localhost, ports: [${service.port}], auth_scheme: Bearer, token_env: EGRESS_TOKEN_0, websocket: true }
`;
}

async function bottleWith(
  t: TestContext,
  service: Service,
  files: Readonly<Record<string, string>> = {},
): Promise<Bottle> {
  return await startBottle(t, {
    files: {
      'routes.yaml': routesTo(service),
      'pipelock.yaml': LOCAL_SETTINGS,
      'git-gate.yaml': 'repos: {}\n',
      ...files,
    },
    env: { EGRESS_TOKEN_0: TOKEN, EGRESS_CANARY: CANARY, ...trusting(service) },
  });
}

async function dial({ ports }: Bottle): Promise<Socket> {
  const socket = connect(ports.EGRESS_PORT, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** All that comes back until the connection ends. */
async function readAll(socket: Duplex): Promise<string> {
  let text = '';
  socket.on('data', (piece: Buffer) => {
    text += piece.toString('latin1');
  });
  await once(socket, 'close');
  return text;
}

/** What the proxy answers to these bytes. */
async function say(bottle: Bottle, bytes: string): Promise<string> {
  const socket = await dial(bottle);
  socket.write(bytes, 'latin1');
  return await readAll(socket);
}

/** TLS in a tunnel; whether the certificate is trusted is not what these tests are about. */
async function tunnel(bottle: Bottle, authority: string, protocol: 'h2' | 'http/1.1'): Promise<TLSSocket> {
  const socket = await dial(bottle);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  assert.match(String(answer), /^HTTP\/1\.1 200 /);
  const servername = authority.replace(/:\d+$/, '');
  const secure = connectTls({ socket, servername, rejectUnauthorized: false, ALPNProtocols: [protocol] });
  secure.on('error', () => {});
  await once(secure, 'secureConnect');
  return secure;
}

function get(url: string, host: string, more = ''): string {
  return `GET ${url} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`;
}

async function health(bottle: Bottle): Promise<string> {
  return (await say(bottle, get('/__health', 'egress'))).split('\r\n', 1)[0] ?? '';
}

async function pidOf(bottle: Bottle, name: string): Promise<number | null | undefined> {
  return (await bottle.status()).daemons.find((daemon) => daemon.name === name)?.pid;
}

/** This machine, in the ways in which an agent may write it. */
const HERE = [
  ...['127.0.0.1', '127.1', '2130706433', '0x7f.1', '0177.0.0.1', '0.0.0.0', '[::1]', '[::]', 'localhost', 'LOCALHOST'],
  ...['localhost.', 'x.localhost', 'ip6-localhost', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]'],
  ...['egress', 'pipelock', 'git-gate'],
];
const METADATA = ['169.254.169.254', '0xa9fea9fe', '2852039166', '[::ffff:169.254.169.254]', '[fd00:ec2::254]'];

test('what listens inside the bundle, and metadata, cannot be reached through the proxy by any name', async (t) => {
  const service = await startService(t, (_request, response) => response.end('reached'));
  const bottle = await bottleWith(t, service);
  const { PIPELOCK_PORT, PIPELOCK_HEALTH_PORT, PIPELOCK_METRICS_PORT, EGRESS_METRICS_PORT, EGRESS_PORT } = bottle.ports;
  const ports = [PIPELOCK_PORT, PIPELOCK_HEALTH_PORT, PIPELOCK_METRICS_PORT, EGRESS_METRICS_PORT, EGRESS_PORT];
  const places = [...HERE.flatMap((host) => ports.map((port) => `${host}:${port}`)), ...METADATA];
  for (const place of places) {
    for (const scheme of ['http', 'https']) {
      const answer = await say(bottle, get(`${scheme}://${place}/health`, place));
      assert.match(answer, /^HTTP\/1\.1 403 .*egress: /s, `${scheme}://${place}`);
    }
  }
});

test('a route to a name or an address of this machine does not open it: pipelock looks where it leads', async (t) => {
  const service = await startService(t, (_request, response) => response.end('reached'));
  const ports = `[${service.port}]`;
  const hosts = ['localhost', '127.0.0.1', '"[::1]"', '0.0.0.0', 'ip6-localhost', 'x.localhost'];
  const routes = hosts.map((host) => `  - { host: ${host}, schemes: [http, https], ports: ${ports} }\n`).join('');
  const bottle = await bottleWith(t, service, { 'pipelock.yaml': '{}\n', 'routes.yaml': `routes:\n${routes}` });
  for (const host of HERE) {
    const place = `${host}:${service.port}`;
    const answer = await say(bottle, get(`https://${place}/`, place));
    assert.match(answer, /^HTTP\/1\.1 403 .*(?:blocked: SSRF|egress: )/s, place);
  }
});

test('metadata addresses cannot be routed to', async (t) => {
  const service = await startService(t, (_request, response) => response.end('reached'));
  const bottle = await bottleWith(t, service);
  for (const [i, host] of METADATA.entries()) {
    writeFileSync(join(bottle.config, 'routes.yaml'), `routes: [{ host: '${host}', schemes: [http] }]\n`);
    bottle.signal('SIGHUP');
    await bottle.saw(/egress: the 1 route\(s\) and the credentials of before stay in force/, i + 1);
  }
});

test('the host of introspection is what the request is for, not what Host says', async (t) => {
  const service = await startService(t, (request, response) => response.end(`the origin got ${request.url}`));
  const bottle = await bottleWith(t, service);
  const place = `localhost:${service.port}`;
  assert.match(await say(bottle, get(`https://${place}/routes`, 'egress.internal')), /^HTTP\/1\.1 400 .*host-?.*/s);
  assert.match(await say(bottle, get('http://egress.internal/routes', place)), /^HTTP\/1\.1 400 /);
  assert.match(await say(bottle, get('/routes', 'egress.internal')), /^HTTP\/1\.1 400 /);
  const inTunnel = await tunnel(bottle, place, 'http/1.1');
  inTunnel.write(get('/routes', 'egress.internal'));
  assert.match(await readAll(inTunnel), /^HTTP\/1\.1 421 /);
  const own = await tunnel(bottle, 'egress.internal:443', 'http/1.1');
  own.write(get('/routes', 'egress.internal'));
  const shown = await readAll(own);
  assert.match(shown, /^HTTP\/1\.1 200 .*token_env: EGRESS_TOKEN_0/s);
  assert.ok(!shown.includes(TOKEN));
});

test('a known secret does not arrive, in whatever form egress or pipelock know', async (t) => {
  const arrived: string[] = [];
  const service = await startService(t, (request, response) => {
    arrived.push(request.url ?? '');
    request.resume();
    response.end('reached');
  });
  const bottle = await bottleWith(t, service);
  const place = `localhost:${service.port}`;
  const url = `https://${place}/`;
  const post = (body: string | Buffer, more = '') =>
    `POST ${url} HTTP/1.1\r\nHost: ${place}\r\n${more}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body.toString('latin1')}`;
  const chunks = (text: string) =>
    `POST ${url} HTTP/1.1\r\nHost: ${place}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${[...text].map((one) => `1\r\n${one}\r\n`).join('')}0\r\n\r\n`;
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const everyByte = (text: string) => Buffer.from(text).toString('hex').replace(/../g, '%$&');
  const utf16 = Buffer.from(TOKEN, 'utf16le');
  const attempts: Readonly<Record<string, string>> = {
    'in the path': get(url + encodeURIComponent(TOKEN), place),
    'in the query, encoded twice': get(`${url}?${encodeURIComponent(everyByte(TOKEN))}`, place),
    'in the query, one character encoded': get(`${url}?${TOKEN.replace('a', '%61')}`, place),
    'in the name of a header': get(url, place, `X-${CANARY}: 1\r\n`),
    'in a cookie': get(url, place, `Cookie: a=${TOKEN}\r\n`),
    'in Basic authentication': get(url, place, `Authorization: Basic ${base64(`u:${TOKEN}`)}\r\n`),
    'in chunks of one byte': chunks(TOKEN),
    'in a part of a form': post(`--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n${TOKEN}\r\n--b--\r\n`),
    'in a body that says it is compressed': post(gzipSync(TOKEN), 'Content-Encoding: gzip\r\n'),
    'in a body that is compressed and does not say so': post(gzipSync(TOKEN)),
    'in UTF-16': post(utf16),
    'in UTF-16 of the other byte order': post(Buffer.from(utf16).swap16()),
    'in base64 of base64': post(base64(base64(TOKEN))),
    'in base64 in lines of 76': post(base64('x'.repeat(45) + TOKEN).replace(/.{76}/g, '$&\n')),
    'in JSON with escapes': post(JSON.stringify(TOKEN).replace('a', '\\u0061')),
    'the canary, in a body': post(CANARY),
  };
  for (const [how, bytes] of Object.entries(attempts)) {
    assert.match(await say(bottle, bytes), /^HTTP\/1\.1 403 /, how);
  }
  assert.deepEqual(arrived, []);
  assert.match(bottle.output(), /canary/i);
  for (const secret of [TOKEN, CANARY]) assert.ok(!bottle.output().includes(secret));
});

test('a credential goes to its own host at its own port, whoever asks for another, and the agent cannot replace it', async (t) => {
  const seen: (string | undefined)[] = [];
  const service = await startService(t, (request, response) => {
    seen.push(request.headers.authorization);
    response.end();
  });
  const bottle = await bottleWith(t, service);
  const place = `localhost:${service.port}`;
  for (const url of [
    `https://u:p@${place}/`,
    `https://${place}@evil.example/`,
    `https://localhost:1/`,
    `https://evil.example/`,
  ]) {
    assert.match(await say(bottle, get(url, place)), /^HTTP\/1\.1 40[03] /, url);
  }
  for (const headers of ['Authorization: Bearer mine\r\nAuthorization: Bearer mine\r\n', 'X-Other: 1\r\n']) {
    assert.match(await say(bottle, get(`https://${place}/`, place, headers)), /^HTTP\/1\.1 200 /);
  }
  assert.match(await say(bottle, get(`https://${place}/`, place, 'Connection: authorization\r\n')), /^HTTP\/1\.1 400 /);
  assert.deepEqual(seen, [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`]);
});

test('an origin that sends fields of one connection as trailers does not end egress', async (t) => {
  const service = await startService(t, (_request, response) => {
    response.writeHead(200, { Trailer: 'Proxy-Connection' });
    response.write('body');
    response.addTrailers({ 'Proxy-Connection': 'x', 'HTTP2-Settings': 'x' });
    response.end();
  });
  const bottle = await bottleWith(t, service);
  const before = await pidOf(bottle, 'egress');
  const secure = await tunnel(bottle, `localhost:${service.port}`, 'h2');
  const client = connectHttp2(service.origin, { createConnection: () => secure });
  const stream = client.request({ ':path': '/' });
  let body = '';
  stream.setEncoding('utf8').on('data', (piece: string) => {
    body += piece;
  });
  await once(stream, 'end');
  client.destroy();
  assert.deepEqual([body, await health(bottle), await pidOf(bottle, 'egress')], ['body', 'HTTP/1.1 200 OK', before]);
});

test('egress answers whether it lives while an agent holds all the connections that it may', async (t) => {
  const service = await startService(t, (_request, response) => response.end());
  const bottle = await bottleWith(t, service);
  const before = await pidOf(bottle, 'egress');
  const held: Socket[] = [];
  t.after(() => {
    for (const socket of held) socket.destroy();
  });
  const openings = [
    '',
    'GET http://localhost/ HTTP/1.1\r\nX: ',
    `CONNECT localhost:${service.port} HTTP/1.1\r\nHost: localhost:${service.port}\r\n\r\n`,
  ];
  for (let i = 0; i < 3000; i += 1) {
    const socket = await dial(bottle);
    held.push(socket);
    socket.write(openings[i % openings.length] ?? '');
    if (i % 500 === 499) assert.equal(await health(bottle), 'HTTP/1.1 200 OK', `with ${i + 1} connections`);
  }
  assert.equal(await pidOf(bottle, 'egress'), before);
  assert.equal((await bottle.status()).bundle.health, 'healthy');
});

test('routes.yaml that is no file to read leaves the routes of before in force, and the next good one counts', async (t) => {
  const service = await startService(t, (_request, response) => response.end('reached'));
  const bottle = await bottleWith(t, service);
  const file = join(bottle.config, 'routes.yaml');
  const place = `localhost:${service.port}`;
  const replacements: readonly (() => unknown)[] = [
    () => mkdirSync(file),
    () => execa('mkfifo', [file]),
    () => symlinkSync(file, file),
    () => symlinkSync('/dev/zero', file),
    () => execa('truncate', ['-s', '1G', file]),
    () => writeFileSync(file, routesTo(service).slice(0, 40)),
  ];
  for (const [i, replace] of replacements.entries()) {
    rmSync(file, { recursive: true, force: true });
    await replace();
    bottle.signal('SIGHUP');
    await bottle.saw(/egress: the 1 route\(s\) and the credentials of before stay in force/, i + 1);
    assert.match(await say(bottle, get(`https://${place}/`, place)), /^HTTP\/1\.1 200 .*reached/s);
  }
  rmSync(file, { force: true });
  writeFileSync(file, 'routes: []\n');
  await bottle.saw(/egress: loaded 0 route/);
  assert.match(await say(bottle, get(`https://${place}/`, place)), /^HTTP\/1\.1 403 /);
});

test('a WebSocket carries messages, and no known secret in fragments, pings or reasons to close', async (t) => {
  const arrived: string[] = [];
  const service = await startSocketService(t, (text) => arrived.push(text));
  const bottle = await bottleWith(t, service);
  const secrets: readonly ((socket: WebSocket) => void)[] = [
    (socket) => socket.send(TOKEN),
    (socket) => socket.send(Buffer.from(TOKEN)),
    (socket) => {
      for (const one of TOKEN) socket.send(one, { fin: false });
      socket.send('', { fin: true });
    },
    (socket) => socket.ping(TOKEN),
    (socket) => socket.pong(CANARY),
    (socket) => socket.close(1000, TOKEN),
  ];
  for (const attack of secrets) {
    const secure = await tunnel(bottle, `localhost:${service.port}`, 'http/1.1');
    const socket = new WebSocket(`wss://localhost:${service.port}/`, { createConnection: () => secure });
    await once(socket, 'open');
    socket.send('hello');
    const [echoed] = await once(socket, 'message');
    assert.equal(String(echoed), 'hello');
    attack(socket);
    const [code] = await once(socket, 'close');
    assert.equal(code, 1008);
  }
  assert.deepEqual(arrived, Array(secrets.length).fill('hello'));
});

/** A WebSocket server over TLS that sends back what it gets, and tells it, reasons to close and payloads of pings too. */
async function startSocketService(t: TestContext, tell: (text: string) => void): Promise<Service> {
  const service = await startService(t, (_request, response) => response.end());
  const sockets = new WebSocketServer({ server: service.server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => {
      tell(String(data));
      socket.send(data, { binary: isBinary });
    });
    for (const event of ['ping', 'pong'] as const) socket.on(event, (payload) => tell(String(payload)));
    socket.on('close', (_code, reason) => {
      if (reason.length > 0) tell(String(reason));
    });
  });
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
  });
  return service;
}
