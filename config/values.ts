import * as z from 'zod/mini';
import { formatByteSize, parseByteSize } from './byte-size.ts';
import { formatDuration, parseDuration } from './duration.ts';

/** The kinds of values that configuration files share. A message continues the value: `"10 sec" is not a duration; …`. */

/** The schema with what its key means: in the JSON Schema, in the reference and so in an editor. Other keys may have the same schema. */
export function key<T extends z.core.$ZodType>(schema: T, description: string): T {
  const own = z.clone(schema);
  z.globalRegistry.add(own, { description });
  return own;
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

/** Refuses a value while it is decoded, with `known` words of which a near one is proposed. */
export function refuse(payload: z.core.ParsePayload, message: string, known?: readonly string[]): never {
  payload.issues.push({ code: 'custom', input: payload.value, message, params: { known } });
  return z.NEVER;
}

const durationText = z.string();
z.globalRegistry.add(durationText, { title: 'duration', pattern: '^(0|(\\d+(\\.\\d+)?(us|ms|s|m|h|d|w))+)$' });

const NO_DURATION = 'is not a duration; write a number with its unit: "500ms", "10s", "1m30s"';

/** Milliseconds, from a duration as Compose writes it. */
export const duration = z.codec(z.union([durationText, z.literal(0)], NO_DURATION), z.int().check(z.nonnegative()), {
  decode: (text, payload) => parseDuration(String(text)) ?? refuse(payload, NO_DURATION),
  encode: formatDuration,
});

const byteSizeText = z.string();
z.globalRegistry.add(byteSizeText, { title: 'size', pattern: '^\\d+ ?([bB]|[kKmMgG]([iI]?[bB])?)?$' });

/** Bytes, from a size such as `64mb`, `64 MiB` or a plain number. */
export const byteSize = z.codec(
  z.union([byteSizeText, z.int().check(z.nonnegative())]),
  z.int().check(z.nonnegative()),
  {
    decode: (written, payload) =>
      parseByteSize(String(written)) ??
      refuse(payload, 'is not a size; write bytes, or a number with b, kb, mb or gb: "10mb"'),
    encode: formatByteSize,
  },
);

/** Text that an author may well write without quotes although YAML then reads a number. */
export const text = z.codec(z.union([z.string(), z.number()]), z.string(), {
  decode: String,
  encode: (value) => value,
});

/** A TCP port. */
export const port = z.int().check(z.minimum(1), z.maximum(65535));
