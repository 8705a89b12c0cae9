import * as z from 'zod/mini';
import { parseSignal, SIGNAL_NAMES, type SignalName } from '../posix/signal-names.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { NAME } from './names.ts';
import { splitWords } from './words.ts';

/** The kinds of values that `bundle.yaml` is made of. A message continues the value: `"10 sec" is not a duration; …`. */

/** Tells what a key means: in the JSON Schema, in the reference and so in an editor. */
export function key<T extends z.core.$ZodType>(schema: T, description: string): T {
  z.globalRegistry.add(schema, { description });
  return schema;
}

/** A value that must pass `test`; otherwise `message`, which continues the value. */
export function rule<T>(test: (value: T) => boolean, message: string): z.core.$ZodCheck<T> {
  return z.refine(test, { error: message });
}

/** Exactly one of these keys of a map is given. Checked even where other keys are wrong, so that all is told at once. */
export function exactlyOne<T extends object>(...keys: (keyof T & string)[]): z.core.$ZodCheck<T> {
  return z.refine<T>((value) => keys.filter((name) => value[name] !== undefined).length === 1, {
    error: `needs exactly one of ${keys.join(', ')}`,
    when: (payload) => typeof payload.value === 'object' && payload.value !== null,
  });
}

function refuse(payload: z.core.ParsePayload, message: string, known?: readonly string[]): never {
  payload.issues.push({ code: 'custom', input: payload.value, message, params: { known } });
  return z.NEVER;
}

const durationText = z.string();
z.globalRegistry.add(durationText, { title: 'duration', pattern: '^(0|(\\d+(\\.\\d+)?(us|ms|s|m|h|d|w))+)$' });

/** Milliseconds, from a duration as Compose writes it. */
export const duration = z.codec(z.union([durationText, z.literal(0)]), z.int().check(z.nonnegative()), {
  decode: (text, payload) =>
    parseDuration(String(text)) ??
    refuse(payload, 'is not a duration; write a number with its unit: "500ms", "10s", "1m30s"'),
  encode: formatDuration,
});

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

/** Text that an author may well write without quotes although YAML then reads a number. */
export const text = z.codec(z.union([z.string(), z.number()]), z.string(), {
  decode: String,
  encode: (value) => value,
});

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

/** A TCP port. */
export const port = z.int().check(z.minimum(1), z.maximum(65535));
