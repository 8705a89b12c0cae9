import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextFile } from '../../config/files.ts';
import { CANARY_NAME, NAME_FAULT, secretFault, TOKEN_NAME } from './settings.ts';

/** The secrets that egress holds. */
export interface Credentials {
  /** By name, as `token_env` in routes.yaml says it, e.g. `EGRESS_TOKEN_0`. */
  readonly tokens: ReadonlyMap<string, string>;
  /** A secret of no use that the agent holds: where it goes out, something is stealing. */
  readonly canary: string | undefined;
}

/** Credentials, and a line for each that could not be had. Those that are well can be used whatever the others are. */
export interface ReadCredentials {
  readonly credentials: Credentials;
  readonly problems: readonly string[];
}

/** More files than this in one directory are not credentials of one agent. */
const MOST_CREDENTIALS = 256;

/**
 * Credentials from the environment (`given`) and from files named `EGRESS_TOKEN_*` and `CANARY` in `directory`. A file wins over a
 * variable of the same name; line breaks at its end are not part of the secret. A credential that is not well is left out.
 */
export async function readCredentials(
  given: ReadonlyMap<string, string>,
  directory: string | undefined,
): Promise<ReadCredentials> {
  const found = new Map(given);
  const problems: string[] = [];
  for (const name of directory === undefined ? [] : await credentialNames(directory, problems)) {
    const path = join(directory ?? '', name);
    const read = readSecret(name, path);
    if (read.ok) {
      found.set(name, read.value);
    } else {
      found.delete(name);
      problems.push(`${path}: ${read.fault}`);
    }
  }
  const canary = found.get(CANARY_NAME);
  found.delete(CANARY_NAME);
  return { credentials: { tokens: found, canary }, problems };
}

async function credentialNames(directory: string, problems: string[]): Promise<readonly string[]> {
  try {
    const names = (await readdir(directory)).filter((name) => name === CANARY_NAME || name.startsWith('EGRESS_TOKEN_'));
    if (names.length > MOST_CREDENTIALS) problems.push(`${directory}: holds more than ${MOST_CREDENTIALS} credentials`);
    return names.sort().slice(0, MOST_CREDENTIALS);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    problems.push(`${directory}: the directory of credentials cannot be read (${code})`);
    return [];
  }
}

type ReadSecret = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly fault: string };

function readSecret(name: string, path: string): ReadSecret {
  if (name !== CANARY_NAME && !TOKEN_NAME.test(name)) return { ok: false, fault: NAME_FAULT };
  const file = readTextFile(path);
  if (!file.ok) return { ok: false, fault: file.reason };
  const value = file.text.replace(/(\r?\n)+$/, '');
  const fault = secretFault(value);
  return fault === undefined ? { ok: true, value } : { ok: false, fault };
}
