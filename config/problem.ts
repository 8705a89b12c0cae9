import { nearest } from './nearest.ts';

/** One thing that is wrong, where it stands, and what would be right. */
export interface Problem {
  /** The file as it was given, or the option or variable that is wrong (`--only`). */
  readonly file: string;
  /** From 1; 0 where there is no place in a file. */
  readonly line: number;
  /** From 1, in UTF-16 units as editors count; 0 where there is no place in a file. */
  readonly column: number;
  /** The key, e.g. `daemons.egress.restart`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** A problem before it is known where its place lies: `offset` counts characters from the start of the text. */
export interface Finding {
  readonly offset: number;
  readonly path: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** A path from the root of a file: names of keys, and numbers of list items. */
export type Path = readonly (string | number)[];

/** One line: `bundle.yaml:12:14: daemons.egress.restart: "alway" is not one of …; did you mean "always"?`. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const hint = problem.hint === undefined ? '' : `; ${problem.hint}`;
  return `${place}: ${path}${problem.message}${hint}`.replace(CONTROL, (character) =>
    JSON.stringify(character).slice(1, -1),
  );
}

/** A problem of a whole file, or of an option: it has no line. */
export function problemOf(file: string, message: string, hint?: string): Problem {
  return { file, line: 0, column: 0, path: '', message, ...(hint === undefined ? {} : { hint }) };
}

/** `daemons.egress.command[1]`; a key with odd characters is quoted. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (PLAIN_KEY.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${quote(part)}]`;
  }
  return text;
}

/** A value of the file in quotes, cut where it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE - 1)}…` : text);
}

/** `"a", "b", "c"`, cut where there are many. */
export function quoteAll(words: Iterable<string>): string {
  const all = [...words];
  const shown = all.slice(0, MOST_QUOTES).map(quote).join(', ');
  return all.length > MOST_QUOTES ? `${shown} and ${all.length - MOST_QUOTES} more` : shown;
}

/** `did you mean "always"?`, or nothing where no known word is near. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  const near = nearest(word, known);
  return near === undefined ? undefined : `did you mean ${quote(near)}?`;
}

const PLAIN_KEY = /^[\w-]+$/;
const LONGEST_QUOTE = 80;
const MOST_QUOTES = 24;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a problem is one line of plain text, whatever the file holds.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
