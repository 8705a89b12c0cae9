import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** A bearer token, made up. */
export function madeUp(): string {
  return randomBytes(24).toString('hex');
}

/** A server that speaks the part of the KV v2 API that is used, and can misbehave. */
export interface FakeVault {
  readonly address: string;
  /** Token that must be shown to it. */
  credential: string;
  /** By path below /v1/. */
  readonly secrets: Map<string, string>;
  /** Paths that were asked for, in their order. */
  readonly asked: string[];
  /** What it does in place of its duty: answers so, or never. */
  mood: 'well' | 'silent' | { readonly status: number; readonly body: string; readonly location?: string };
}

export async function fakeVault(
  t: TestContext,
  tls?: { readonly cert: string; readonly key: string; readonly ca: string },
): Promise<FakeVault> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? '').replace(/^\/v1\//, '');
    vault.asked.push(path);
    const { mood } = vault;
    if (mood === 'silent') return;
    const [status, body, location] = mood === 'well' ? judge(request, path) : [mood.status, mood.body, mood.location];
    response.writeHead(status, { 'content-type': 'application/json', ...(location !== undefined && { location }) });
    response.end(body);
  };
  const judge = (request: IncomingMessage, path: string): [number, string, undefined] => {
    if (request.headers['x-vault-token'] !== vault.credential) {
      return [403, '{"errors":["permission denied"]}', undefined];
    }
    const token = vault.secrets.get(path);
    if (token === undefined) return [404, '{"errors":[]}', undefined];
    return [200, JSON.stringify({ data: { data: { token }, metadata: { version: 1 } } }), undefined];
  };
  const server =
    tls === undefined
      ? createHttpServer(answer)
      : createHttpsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // A listening TCP server has an address of this kind.
  const { port } = server.address() as AddressInfo;
  const vault: FakeVault = {
    address: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    credential: madeUp(),
    secrets: new Map(),
    asked: [],
    mood: 'well',
  };
  return vault;
}
