import { join } from 'node:path';
import { readTextFile } from '../../../config/files.ts';

/** Where secrets come from. */
export interface SecretSources {
  /** A folder with a file for each secret; undefined where there is none. */
  readonly credentials: string | undefined;
  /** Variables, asked where there is no file. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

export type ReadSecret = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly fault: string };

/** Reads the secret `name`, without line breaks at its end. The fault is the end of a sentence and never holds a value. */
export function readSecret(name: string, { credentials, variables }: SecretSources): ReadSecret {
  const places: string[] = [];
  if (credentials !== undefined) {
    const file = readTextFile(join(credentials, name));
    if (file.ok) return notEmpty(file.text.replace(/[\r\n]+$/, ''), `the file ${name} in $CREDENTIALS_DIRECTORY`);
    if (file.fault !== 'missing') {
      return { ok: false, fault: `the file ${name} in $CREDENTIALS_DIRECTORY ${file.reason}` };
    }
    places.push(`no file ${name} in $CREDENTIALS_DIRECTORY`);
  }
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (value !== undefined) return notEmpty(value, `the variable ${name}`);
  places.push(`no variable ${name}`);
  return { ok: false, fault: `there is ${places.join(' and ')}` };
}

function notEmpty(value: string, where: string): ReadSecret {
  if (value === '') return { ok: false, fault: `${where} is empty` };
  if (value.includes('\0')) return { ok: false, fault: `${where} holds a NUL` };
  return { ok: true, value };
}

/** A piece of a value: text, or the name of a secret. */
export type Piece = { readonly text: string } | { readonly secret: string };

/** Takes a value with `${VAR}` and `$$` apart. The fault continues the value. */
export function piecesOf(
  value: string,
): { readonly ok: true; readonly pieces: readonly Piece[] } | { readonly ok: false; readonly fault: string } {
  const pieces: Piece[] = [];
  let from = 0;
  for (let at = value.indexOf('$'); at !== -1; at = value.indexOf('$', from)) {
    if (at > from) pieces.push({ text: value.slice(from, at) });
    const name = /^\$\{([A-Za-z_][A-Za-z0-9_]{0,127})\}/.exec(value.slice(at, at + 131))?.[1];
    if (name !== undefined) {
      pieces.push({ secret: name });
      from = at + name.length + 3;
    } else if (value.startsWith('$$', at)) {
      pieces.push({ text: '$' });
      from = at + 2;
    } else {
      return { ok: false, fault: `holds a "$" that begins no \${VAR}; write "$$" for a dollar sign` };
    }
  }
  if (from < value.length) pieces.push({ text: value.slice(from) });
  return { ok: true, pieces };
}
