import * as z from 'zod/mini';
import { bundleSchema } from './schema.ts';

/** The JSON Schema (draft 2020-12) of a bundle file, with a description and the default of every key. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...rest } = z.toJSONSchema(bundleSchema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema: made }) => {
      if (zodSchema instanceof z.core.$ZodDefault) {
        const { innerType, defaultValue } = zodSchema._zod.def;
        made.default = z.encode(innerType, defaultValue);
      }
    },
  });
  return {
    $schema,
    $id: 'bundle.schema.json',
    title: 'bundle.yaml',
    description: 'The daemons of one container, which one init runs.',
    ...withExtensions(rest),
  };
}

/** Keys that begin with `x-` are the author's own, at the top and in a daemon. */
function withExtensions(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const open = { patternProperties: { '^x-': {} } };
  const { properties } = schema;
  if (!isObject(properties) || !isObject(properties.daemons)) return { ...schema, ...open };
  const { additionalProperties } = properties.daemons;
  if (!isObject(additionalProperties)) return { ...schema, ...open };
  const daemons = { ...properties.daemons, additionalProperties: { ...additionalProperties, ...open } };
  return { ...schema, ...open, properties: { ...properties, daemons } };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
