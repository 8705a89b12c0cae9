import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import * as z from 'zod/mini';
import { type Bundle, bundleSchema } from './schema.ts';

/**
 * A bundle as YAML text that loads to the same bundle. Keys that have their default are left out; `$` is written `$$`,
 * so that nothing is taken for a variable. Values of variables are in it.
 */
export function printBundle(bundle: Bundle): string {
  const { daemons, ...top } = z.encode(bundleSchema, bundle);
  const { daemons: plain, ...topDefaults } = defaults();
  const daemonDefaults = plain.x ?? {};
  const kept = Object.entries(daemons).map(([name, daemon]) => [name, without(daemon, daemonDefaults)]);
  return stringify(escaped({ ...without(top, topDefaults), daemons: Object.fromEntries(kept) }), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

/** What the schema gives to a daemon of which nothing is said. */
function defaults(): z.input<typeof bundleSchema> {
  return z.encode(bundleSchema, z.decode(bundleSchema, { daemons: { x: { command: ['x'] } } }));
}

/** What is not as `defaultValue` has it; `command` in any case, since a daemon without one is none. */
function without(value: object, defaultValue: object): object {
  const known = new Map<string, unknown>(Object.entries(defaultValue));
  return Object.fromEntries(
    Object.entries(value).filter(
      ([key, item]) => item !== undefined && (key === 'command' || !isDeepStrictEqual(item, known.get(key))),
    ),
  );
}

function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}
