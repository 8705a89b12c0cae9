import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';

/** A request as the origin got it. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Origins on loopback, over http and https, that echo what they get. */
export interface Origins extends AsyncDisposable {
  readonly httpPort: number;
  readonly httpsPort: number;
  /** PEM file with the authority of the https origin. */
  readonly authority: string;
  readonly received: readonly Received[];
  /** Messages that came over WebSocket. */
  readonly messages: readonly string[];
}

/** Bytes of the answer at /big. */
export const BIG = 512 * 1024 * 1024;

/** Paths: /big sends a long answer, /events a stream of events, /redirect a redirect, every other one a JSON echo. */
export async function startOrigins(): Promise<Origins> {
  const directory = mkdtempSync(join(tmpdir(), 'origins-'));
  const { key, cert, authority } = makeCertificate(directory);
  const received: Received[] = [];
  const messages: string[] = [];

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      received.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      if (request.url === '/big') sendBig(response);
      else if (request.url === '/events') sendEvents(response);
      else if (request.url === '/redirect') response.writeHead(302, { Location: '/landed' }).end();
      else {
        response.setHeader('Content-Type', 'application/json');
        response.end(JSON.stringify({ url: request.url, length: body.length }));
      }
    });
  }

  const http = createHttpServer(answer);
  const https = createHttpsServer({ key, cert }, answer);
  for (const server of [http, https]) {
    const sockets = new WebSocketServer({ server, handleProtocols: (protocols) => [...protocols][0] ?? false });
    sockets.on('connection', (socket) => {
      socket.on('message', (data, isBinary) => {
        messages.push(String(data));
        socket.send(data, { binary: isBinary });
      });
    });
  }
  return {
    httpPort: await listening(http),
    httpsPort: await listening(https),
    authority,
    received,
    messages,
    async [Symbol.asyncDispose]() {
      for (const server of [http, https]) {
        server.closeAllConnections();
        server.close();
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Writes only as fast as it is read. */
function sendBig(response: ServerResponse): void {
  response.setHeader('Content-Length', BIG);
  response.setHeader('Content-Type', 'application/octet-stream');
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let left = BIG / chunk.length;
  function more(): void {
    while (left > 0) {
      left -= 1;
      if (!response.write(chunk)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  }
  more();
}

/** The second event comes only when the test is over with it: the first must be seen without it. */
function sendEvents(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.write('data: first\n\n');
}

function listening(server: Server | ReturnType<typeof createHttpsServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

/** A certificate for localhost and 127.0.0.1, made now and by an authority of its own. */
function makeCertificate(directory: string): { key: Buffer; cert: Buffer; authority: string } {
  const at = (name: string) => join(directory, name);
  const openssl = (...options: string[]) => execFileSync('openssl', options, { stdio: 'pipe' });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...ec,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  openssl('req', ...ec, '-keyout', at('leaf.key'), '-out', at('leaf.csr'), '-subj', '/CN=localhost');
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const sign = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('names')];
  openssl('x509', '-req', '-in', at('leaf.csr'), ...sign, '-out', at('leaf.pem'), '-days', '2');
  return { key: readFileSync(at('leaf.key')), cert: readFileSync(at('leaf.pem')), authority: at('ca.pem') };
}
