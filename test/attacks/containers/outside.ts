/**
 * The world outside a bottle, in a container of its own: an origin over HTTPS and HTTP, the host of an attacker, a name server, a
 * git upstream, and a metadata service. Each thing that reaches it is one JSON line on stdout.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';

interface Credentials {
  readonly key: string;
  readonly cert: string;
}

const DATA = '/outside';
const HANDSHAKE_KEY = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

function record(what: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

const certificates: Readonly<Record<string, Credentials>> = JSON.parse(
  readFileSync(`${DATA}/certificates.json`, 'utf8'),
);
const contexts = new Map<string, SecureContext>();

function contextFor(name: string): SecureContext {
  const known = certificates[name] === undefined ? 'origin.test' : name;
  const context = contexts.get(known) ?? createSecureContext(certificates[known]);
  contexts.set(known, context);
  return context;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, headers } = request;
  const url = new URL(request.url ?? '/', 'http://outside');
  if (url.pathname.startsWith('/git/')) return gitBackend(request, response, url);
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts).toString('latin1');
  const sni = 'servername' in request.socket ? request.socket.servername : undefined;
  record({ kind: 'request', method, url: request.url, sni, headers: request.rawHeaders, body });
  if (url.pathname === '/redirect') {
    response.writeHead(302, { location: url.searchParams.get('to') ?? '/' }).end();
  } else if (url.pathname === '/echo') {
    response.setHeader('x-echo', headers.authorization ?? 'none');
    response.end(JSON.stringify(headers));
  } else if (url.pathname.startsWith('/latest/')) {
    response.end('metadata: role-credentials');
  } else {
    response.end(`reached ${headers.host ?? ''}\n`);
  }
}

/** git-http-backend(1) as CGI (RFC 3875). */
function gitBackend(request: IncomingMessage, response: ServerResponse, url: URL): void {
  const path = url.pathname.slice('/git'.length);
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: `${DATA}/git`,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'somebody',
      REQUEST_METHOD: request.method,
      PATH_INFO: path,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(backend.stdin);
  backend.stdin.on('error', () => {});
  let head = '';
  backend.stdout.on('data', (piece: Buffer) => {
    if (response.headersSent) {
      response.write(piece);
      return;
    }
    head += piece.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const fields = head
      .slice(0, end)
      .split('\r\n')
      .map((line) => line.split(': ', 2));
    const status = fields.find(([name]) => name === 'Status')?.[1];
    const given = fields
      .filter(([name]) => name !== 'Status')
      .map(([name = '', value = '']): [string, string] => [name, value]);
    response.writeHead(Number.parseInt(status ?? '200', 10), Object.fromEntries(given));
    response.write(Buffer.from(head.slice(end + 4), 'latin1'));
  });
  backend.on('close', () => {
    if (!response.headersSent) response.writeHead(500);
    const refs = spawn('git', ['-C', `${DATA}/git/${path.split('/')[1]}`, 'for-each-ref', '--format=%(refname)']);
    let names = '';
    refs.stdout.on('data', (piece: Buffer) => {
      names += piece.toString();
    });
    refs.on('close', () => {
      record({
        kind: 'git',
        method: request.method,
        path,
        user: request.headers.authorization,
        refs: names.split('\n'),
      });
      response.end();
    });
  });
}

/** A WebSocket that tells what it is sent: small frames, masked, as clients send them (RFC 6455). */
async function webSocket(request: IncomingMessage, socket: Duplex): Promise<void> {
  const { createHash } = await import('node:crypto');
  const key = createHash('sha1').update(`${request.headers['sec-websocket-key']}${HANDSHAKE_KEY}`).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`,
  );
  socket.on('error', () => {});
  socket.on('data', (frame: Buffer) => {
    const length = (frame[1] ?? 0) & 0x7f;
    const mask = frame.subarray(2, 6);
    const text = Buffer.from(frame.subarray(6, 6 + length).map((byte, i) => byte ^ (mask[i % 4] ?? 0))).toString();
    record({ kind: 'websocket', text });
    const reply = Buffer.from(`heard ${text}`);
    socket.write(Buffer.concat([Buffer.from([0x81, reply.length]), reply]));
  });
}

const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
  answer(request, response).catch((error: unknown) => {
    record({ kind: 'fault', error: String(error) });
    response.destroy();
  });
};
const onUpgrade = (request: IncomingMessage, socket: Duplex): void => {
  webSocket(request, socket).catch((error: unknown) => record({ kind: 'fault', error: String(error) }));
};

const secure = createHttpsServer(
  { SNICallback: (name, done) => done(null, contextFor(name)), ...certificates['origin.test'] },
  onRequest,
);
secure.on('secureConnection', (socket: TLSSocket) =>
  record({ kind: 'tls', sni: socket.servername, from: socket.remoteAddress }),
);
const plain = createHttpServer(onRequest);
for (const server of [secure, plain]) {
  server.on('upgrade', onUpgrade);
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    record({ kind: 'connect', url: request.url });
    socket.end('HTTP/1.1 405 Method Not Allowed\r\n\r\n');
  });
}

/** Whatever is sent to a port that no protocol belongs to. */
const raw = createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', (data) => {
    record({ kind: 'raw', port: socket.localPort, text: data.toString('latin1') });
    socket.write('reached raw\n');
  });
});

/** Answers each question with one address, whatever was asked (RFC 1035 4.1). */
function nameServer(port: number, family: 'udp4' | 'udp6'): void {
  const socket = createSocket({ type: family, ipv6Only: family === 'udp6' });
  socket.on('message', (query, from) => {
    const labels: string[] = [];
    for (let at = 12; (query[at] ?? 0) > 0 && at < query.length; at += (query[at] ?? 0) + 1) {
      labels.push(query.toString('latin1', at + 1, at + 1 + (query[at] ?? 0)));
    }
    record({ kind: 'udp', port, name: labels.join('.'), text: query.toString('latin1') });
    const end = 12 + labels.reduce((sum, label) => sum + label.length + 1, 0) + 5;
    const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    const address = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 203, 0, 113, 9]);
    socket.send(Buffer.concat([header, query.subarray(12, end), address]), from.port, from.address);
  });
  socket.on('error', (error) => record({ kind: 'fault', error: String(error) }));
  socket.bind(port);
}

plain.on('clientError', (error: Error & { rawPacket?: Buffer }, socket: Duplex) => {
  record({ kind: 'unsound', text: error.rawPacket?.toString('latin1') });
  socket.destroy();
});

secure.listen(443);
plain.listen(80);
raw.listen(4444);
nameServer(53, 'udp4');
nameServer(5353, 'udp4');
nameServer(53, 'udp6');
spawn('git', ['daemon', '--reuseaddr', '--export-all', `--base-path=${DATA}/git`, '--enable=receive-pack'], {
  stdio: 'inherit',
});
record({ kind: 'ready' });
