import { type Json, jsonSchemaOf } from '../../config/json-schema.ts';
import { referenceTable } from '../../config/reference.ts';
import { routesSchema } from './schema.ts';

/** The JSON Schema (draft 2020-12) of routes.yaml, with a description and the default of every key. */
export function routesJsonSchema(): Json {
  return jsonSchemaOf(routesSchema, {
    id: 'routes.schema.json',
    title: 'routes.yaml',
    description: 'Where an agent may go: hosts, paths, methods, and the credential that goes with each.',
  });
}

/** Every key of routes.yaml as a Markdown table. */
export function routesReference(): string {
  return referenceTable(routesJsonSchema());
}
