import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { VaultSource } from '../../bundle/control.ts';
import { readMessage } from '../body.ts';

/** An answer of KV v2 with one small secret is far below this, in bytes. */
const MOST_BYTES = 65_536;

/**
 * Reads the field `token` of one secret of a KV v2 engine (Vault HTTP API, "KV secrets engine - version 2", Read secret
 * version; OpenBao answers alike). `credential` is shown as X-Vault-Token. No redirect is followed: it would show that token to
 * another server. Rejects with an `Error` of one clear line, which holds neither token.
 */
export async function readVault(vault: VaultSource, credential: string, signal: AbortSignal): Promise<string> {
  const url = new URL(`${vault.address}/v1/${pathOf(vault)}`);
  const options: RequestOptions = {
    agent: false,
    signal,
    headers: { 'x-vault-token': credential, 'x-vault-request': 'true', accept: 'application/json' },
    ...(url.protocol === 'https:' && (await identityOf(vault))),
  };
  const { request } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'));
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, options, resolve).on('error', reject).end();
  }).catch((error: unknown) => {
    throw new Error(`${url.origin} cannot be reached: ${reasonOf(error, signal)}`);
  });
  response.on('error', () => {});
  const body = await readMessage(response, MOST_BYTES)
    .finally(() => signal.throwIfAborted())
    .catch((error: unknown) => {
      throw new Error(`${url.origin} has not answered whole: ${reasonOf(error, signal)}`);
    });
  response.destroy();
  if (response.statusCode !== 200)
    throw new Error(`${url.origin} ${refusalOf(response.statusCode ?? 0, url.pathname)}`);
  if (body === undefined)
    throw new Error(`${url.origin} answers with more than ${MOST_BYTES} bytes at ${url.pathname}`);
  const token = tokenIn(body);
  if (token === undefined) {
    throw new Error(
      `${url.origin} has no field "token" with a text at ${url.pathname}: is it a secret of KV version 2?`,
    );
  }
  return token;
}

function pathOf({ prefix, deployment_hash, token_key = '' }: VaultSource): string {
  return [...prefix.split('/'), deployment_hash, token_key].map(encodeURIComponent).join('/');
}

/** Read each time: a certificate that is renewed on disk is shown at the next refresh. */
async function identityOf({ ca, client_cert, client_key }: VaultSource): Promise<RequestOptions> {
  const [authority, cert, key] = await Promise.all([ca, client_cert, client_key].map(readPem));
  return { ...(authority && { ca: authority }), ...(cert && { cert }), ...(key && { key }) };
}

async function readPem(file: string | undefined): Promise<Buffer | undefined> {
  return file === undefined ? undefined : await readFile(file);
}

const REFUSALS: Readonly<Record<number, (path: string) => string>> = {
  400: (path) => `does not take ${path} for a path of KV version 2`,
  403: (path) => `refuses: the token shown to it may not read ${path}, or has expired`,
  404: (path) =>
    `has nothing at ${path}: check prefix (with KV version 2 it holds "data"), deployment_hash and token_key`,
  429: () => 'answers 429: it is a standby node, or asked too often',
  503: () => 'answers 503: it is sealed or down for maintenance',
};

function refusalOf(status: number, path: string): string {
  if (status >= 300 && status < 400) return 'sends to another server: name that one as address';
  return REFUSALS[status]?.(path) ?? `answers ${status} at ${path}`;
}

function tokenIn(body: string): string | undefined {
  let value: unknown = parsed(body);
  for (const member of ['data', 'data', 'token']) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, member);
  }
  return typeof value === 'string' ? value : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'no answer in time';
  return error instanceof Error ? error.message || error.name : String(error);
}
