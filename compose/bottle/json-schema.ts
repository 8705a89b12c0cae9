import { type Json, jsonSchemaOf } from '../../config/json-schema.ts';
import { bottleSchema } from './schema.ts';

/** The JSON Schema (draft 2020-12) of bottle.yaml, with a description and the default of every key. */
export function bottleJsonSchema(): Json {
  const schema = jsonSchemaOf(bottleSchema, {
    id: 'bottle.schema.json',
    title: 'bottle.yaml',
    description: 'An agent, and what it may do: rendered to Compose, Swarm or Kubernetes.',
  });
  // The author's own, e.g. for anchors.
  return { ...schema, patternProperties: { '^x-': {} } };
}

/** What the names are that a bottle's author chooses, for the reference. */
export const BOTTLE_FREE_NAMES: Readonly<Record<string, string>> = {
  'agent.environment': '<variable>',
  'sidecars.environment': '<variable>',
  'git.repos': '<name>',
  secrets: '<secret>',
};
