import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { TokenSource } from '../../bundle/control.ts';
import { readVault } from './vault.ts';

/** A token as its source has it now, and what else was read for it that must be in no log. */
export interface ReadToken {
  readonly value: string;
  readonly secrets: readonly string[];
}

/** The alphabet of RFC 6750 (b64token); short ones could be guessed. */
const BEARER = /^(?=.{16,4096}$)[A-Za-z0-9._~+/-]+=*$/;
/** A file of tokens is far smaller, in bytes. */
const MOST_BYTES = 8_192;

/** Reads a token from where it comes. Rejects with an `Error` of one clear line, which holds no secret. */
export async function readToken(source: TokenSource, signal: AbortSignal): Promise<ReadToken> {
  const { vault } = source;
  if (vault === undefined) {
    const value = await readPlain(source);
    return { value: checked(value, nameOf(source)), secrets: [value] };
  }
  const credential = await readPlain(vault.token);
  const value = await readVault(vault, credential, signal);
  return { value: checked(value, nameOf(source)), secrets: [value, credential] };
}

/** Where it comes from, for logs. */
export function nameOf({ file, environment, vault }: Pick<TokenSource, 'file' | 'environment' | 'vault'>): string {
  if (vault !== undefined) return `vault ${vault.address}`;
  return file === undefined ? `variable ${environment}` : `file ${file}`;
}

/** The kind of source, as status and metrics name it. */
export function kindOf({ file, vault }: TokenSource): 'file' | 'environment' | 'vault' {
  if (vault !== undefined) return 'vault';
  return file === undefined ? 'environment' : 'file';
}

async function readPlain(source: { readonly file?: string | undefined; readonly environment?: string | undefined }) {
  if (source.file !== undefined) return readSmallFile(source.file);
  const value = source.environment === undefined ? undefined : process.env[source.environment];
  if (value === undefined || value === '') throw new Error(`variable ${source.environment} is not set`);
  return value.trim();
}

async function readSmallFile(path: string): Promise<string> {
  // A pipe must not keep the reader waiting.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY).catch((error) => {
    throw new Error(`file ${path} cannot be read: ${error instanceof Error ? error.message.split(',')[0] : error}`);
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error(`file ${path} is no regular file`);
    if (stat.size > MOST_BYTES) throw new Error(`file ${path} holds more than ${MOST_BYTES} bytes`);
    return (await file.readFile('utf8')).trim();
  } finally {
    await file.close();
  }
}

function checked(value: string, name: string): string {
  if (BEARER.test(value)) return value;
  throw new Error(
    `${name} holds no bearer token: 16 to 4096 letters, digits and . _ ~ + / - are one (openssl rand -hex 32 makes one)`,
  );
}
