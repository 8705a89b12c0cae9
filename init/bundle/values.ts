import * as z from 'zod/mini';
import { refuse, rule } from '../../config/values.ts';
import { parseSignal, SIGNAL_NAMES, type SignalName } from '../posix/signal-names.ts';
import { NAME } from './names.ts';
import { splitWords } from './words.ts';

/** The kinds of values that `bundle.yaml` is made of. A message continues the value: `"10 sec" is not a duration; …`. */

/** A signal by name (`SIGTERM`, `TERM`) or number. */
export const signal = z.codec(z.union([z.string(), z.int()]), z.enum(SIGNAL_NAMES), {
  decode: (text, payload) =>
    parseSignal(String(text)) ?? refuse(payload, 'is not a signal; write a name such as "SIGTERM"', SIGNAL_NAMES),
  encode: (name: SignalName) => name,
});

/** A name of a daemon or a secret. */
export const name = z
  .string()
  .check(
    z.regex(NAME, 'is not a name: use letters, digits, "_", "." and "-", at most 63, the first a letter or digit'),
  );

const word = z.union([z.string(), z.number(), z.boolean()]);

/** A command: a list of words, or one string that is split as a shell splits words (but never run by one). */
export const command = z.codec(z.union([z.string(), z.array(word)]), z.array(z.string()), {
  decode: (value, payload) => {
    if (typeof value !== 'string') return value.map(String);
    const words = splitWords(value);
    return words.ok ? [...words.words] : refuse(payload, words.message);
  },
  encode: (words) => words,
});

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

function namesAndValues(lines: readonly string[]): [string, string | null][] {
  return lines.map((line) => {
    const equals = line.indexOf('=');
    return equals < 0 ? [line, null] : [line.slice(0, equals), line.slice(equals + 1)];
  });
}

/** Variables as a map, or as Compose's list of `NAME=value`. A value of null means: as in the init's own environment. */
export const environment = z.codec(
  z.union([z.record(z.string(), scalar), z.array(z.string())]),
  z.record(
    z.string().check(rule((variable) => variable !== '' && !variable.includes('='), 'is not the name of a variable')),
    z.union([z.string(), z.null()]),
  ),
  {
    decode: (value) =>
      Object.fromEntries(
        Array.isArray(value)
          ? namesAndValues(value)
          : Object.entries(value).map(([variable, item]) => [variable, item === null ? null : String(item)]),
      ),
    encode: (map) => map,
  },
);

/** Compose's `labels`: a map, or a list of `name=value`. */
export const labels = z.codec(
  z.union([z.record(z.string(), scalar), z.array(z.string())]),
  z.record(z.string(), z.string()),
  {
    decode: (value) =>
      Object.fromEntries(
        (Array.isArray(value) ? namesAndValues(value) : Object.entries(value)).map(([label, item]) => [
          label,
          item === null ? '' : String(item),
        ]),
      ),
    encode: (map) => map,
  },
);
