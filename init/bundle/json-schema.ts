import { type Json, jsonSchemaOf } from '../../config/json-schema.ts';
import { bundleSchema } from './schema.ts';

/** The JSON Schema (draft 2020-12) of a bundle file, with a description and the default of every key. */
export function jsonSchema(): Json {
  return withExtensions(
    jsonSchemaOf(bundleSchema, {
      id: 'bundle.schema.json',
      title: 'bundle.yaml',
      description: 'The daemons of one container, which one init runs.',
    }),
  );
}

/** What the names are that a bundle's author chooses, for the reference. */
export const FREE_NAMES: Readonly<Record<string, string>> = {
  daemons: '<daemon>',
  secrets: '<secret>',
  signals: '<signal>',
  'daemons.<daemon>.depends_on': '<daemon>',
  'daemons.<daemon>.ulimits': '<limit>',
};

/** Keys that begin with `x-` are the author's own, at the top and in a daemon. */
function withExtensions(schema: Json): Json {
  const open = { patternProperties: { '^x-': {} } };
  const { properties } = schema;
  if (!isObject(properties) || !isObject(properties.daemons)) return { ...schema, ...open };
  const { additionalProperties } = properties.daemons;
  if (!isObject(additionalProperties)) return { ...schema, ...open };
  const daemons = { ...properties.daemons, additionalProperties: { ...additionalProperties, ...open } };
  return { ...schema, ...open, properties: { ...properties, daemons } };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
