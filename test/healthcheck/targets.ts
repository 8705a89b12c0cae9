import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server as HttpServer, RequestListener } from 'node:http';
import http from 'node:http';
import net, { type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Check, HttpTarget } from '../../healthcheck/probe/check.ts';

/** Where a server of a test listens. */
export interface Listening {
  readonly port: number;
  readonly url: string;
}

/** An HTTP server; the test ends only when every connection to it is closed by its client. */
export function httpTarget(t: TestContext, answer: RequestListener): Promise<Listening> {
  return listen(t, http.createServer({ keepAliveTimeout: 0 }, answer));
}

/** A server that speaks raw bytes; the test ends only when every connection to it is closed by its client. */
export function rawTarget(t: TestContext, talk: (socket: Socket) => void): Promise<Listening> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    talk(socket);
  });
  return listen(t, server);
}

export async function listen(t: TestContext, server: Server | HttpServer): Promise<Listening> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    // Without closing connections: a probe that leaks one keeps the test from ending.
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as net.AddressInfo;
  return { port, url: `http://127.0.0.1:${port}` };
}

/** A port of 127.0.0.1 on which nobody listens. */
export async function deafPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export function httpCheck(target: Pick<HttpTarget, 'port'> & Partial<HttpTarget>, timeout = 20_000): Check {
  return { http: { scheme: 'http', host: '127.0.0.1', path: '/', headers: {}, ...target }, timeout };
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'bottled-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
