import { interpolate, type Variables } from './interpolate.ts';

/** The variables of an env file, or its first fault with its line. No message holds a value. */
export type EnvFile =
  | { readonly ok: true; readonly variables: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly line: number; readonly message: string };

const BLANK = /\s*/y;
const COMMENT = /#[^\n]*/y;
const NAME = /(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*/y;
const REST_OF_LINE = /[^\n]*/y;
/** A `$` that begins no variable stands for itself, here and not in a bundle file; `$$` is one in both. */
const DOLLAR = /\$\$|\$(?![A-Za-z_{])/g;
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/**
 * Reads an env file as Compose does ("Env_file format"): `NAME=value`, an `export ` in front allowed; `#` comments; single
 * quotes keep a value as it is, double quotes know `\n \r \t \\ \"`; both may go over several lines. Variables are put
 * into values without single quotes. `NAME` alone takes the value from `outer`, and is left out where that has none.
 */
export function parseEnvFile(text: string, outer: Variables): EnvFile {
  const variables = new Map<string, string>();
  const known: Record<string, string | undefined> = { ...outer };
  const set = (name: string, value: string): void => {
    variables.set(name, value);
    known[name] = value;
  };
  let i = after(BLANK, text, 0);
  while (i < text.length) {
    const comment = after(COMMENT, text, i);
    if (comment > i) {
      i = after(BLANK, text, comment);
      continue;
    }
    NAME.lastIndex = i;
    const head = NAME.exec(text);
    const name = head?.[1];
    if (head === null || name === undefined) return failed(text, i, 'is not NAME=value');
    i += head[0].length;
    const next = text.charAt(i);
    if (next === '' || next === '\n' || next === '\r' || next === '#') {
      const inherited = outer[name];
      if (inherited !== undefined) set(name, inherited);
    } else if (next === '=' || next === ':') {
      const value = readValue(text, i + 1);
      if (!value.ok) return failed(text, i, `${name} ${value.message}`);
      const filled = value.literal ? value : interpolate(value.text.replace(DOLLAR, '$$$$'), known);
      if (!filled.ok) return failed(text, i, `${name}: ${filled.message}`);
      set(name, filled.text);
      i = value.end;
    } else return failed(text, i, `has ${JSON.stringify(next)} after ${name}, where "=" belongs`);
    i = after(BLANK, text, i);
  }
  return { ok: true, variables };
}

/** Reads an env file without any rule about quotes (`format: raw`): what follows the first `=` is the value. */
export function parseRawEnvFile(text: string): EnvFile {
  const variables = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    if (equals <= 0) return { ok: false, line: index + 1, message: 'is not NAME=value' };
    variables.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return { ok: true, variables };
}

type Value =
  | { readonly ok: true; readonly text: string; readonly literal: boolean; readonly end: number }
  | { readonly ok: false; readonly message: string };

function readValue(text: string, start: number): Value {
  let i = start;
  while (text.charAt(i) === ' ' || text.charAt(i) === '\t') i += 1;
  const quote = text.charAt(i);
  if (quote === "'" || quote === '"') return readQuoted(text, i + 1, quote);
  const end = after(REST_OF_LINE, text, i);
  const line = text.slice(i, end);
  const comment = line.search(/\s#/);
  return { ok: true, text: (comment < 0 ? line : line.slice(0, comment)).trim(), literal: false, end };
}

function readQuoted(text: string, start: number, quote: string): Value {
  let value = '';
  for (let i = start; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === quote) {
      const end = after(REST_OF_LINE, text, i + 1);
      const rest = text.slice(i + 1, end).trim();
      if (rest !== '' && !rest.startsWith('#')) return { ok: false, message: 'has text after its closing quote' };
      return { ok: true, text: value, literal: quote === "'", end };
    }
    if (c !== '\\') value += c;
    else {
      i += 1;
      value += unescaped(text.charAt(i), quote);
    }
  }
  return { ok: false, message: `has an opening ${quote} without a closing one` };
}

/** What a backslash and `c` stand for. `\$` is kept from interpolation as `$$`. */
function unescaped(c: string, quote: string): string {
  if (c === quote) return c;
  if (quote === "'") return `\\${c}`;
  if (c === '$') return '$$';
  return ESCAPED[c] ?? (c === '\\' ? c : `\\${c}`);
}

function after(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return at + (pattern.exec(text)?.[0].length ?? 0);
}

function failed(text: string, offset: number, message: string): EnvFile {
  return { ok: false, line: text.slice(0, offset).split('\n').length, message };
}
