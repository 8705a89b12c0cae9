import * as z from 'zod/mini';
import { PROBLEM_TYPE, PROBLEMS } from './problem.ts';
import type { Route } from './route.ts';
import { SCHEMAS } from './schemas.ts';

type Json = { readonly [key: string]: unknown };

/** The OpenAPI 3.1 document of the route table. */
export function openapi(routes: readonly Route[], version: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'bottled control API',
      version,
      description:
        'HTTP over the control socket of the init. Routes with access `health` are also served over TCP where the bundle sets control.listen.',
    },
    servers: [
      { url: 'http://localhost', description: 'the control socket (curl --unix-socket PATH http://localhost/…)' },
    ],
    paths: Object.fromEntries(
      [...new Set(routes.map((route) => route.path))].map((path) => [
        path,
        Object.fromEntries(
          routes.filter((route) => route.path === path).map((route) => [route.method.toLowerCase(), operation(route)]),
        ),
      ]),
    ),
    components: { schemas: components() },
  };
}

function operation(route: Route): Json {
  return {
    operationId: operationId(route),
    summary: route.summary,
    'x-access': route.access,
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(route.body && {
      requestBody: { required: true, content: { 'application/json': { schema: plain(route.body) } } },
    }),
    responses: { ...successes(route), ...failures(route) },
  };
}

function operationId({ method, path }: Route): string {
  const words = path.split(/[^a-z0-9]+/i).filter((word) => word !== '');
  return [method.toLowerCase(), ...words].map((word, index) => (index === 0 ? word : capital(word))).join('');
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function pathParameters({ path }: Route): Json[] {
  if (!path.includes('{name}')) return [];
  return [{ name: 'name', in: 'path', required: true, description: 'Name of the daemon.', schema: { type: 'string' } }];
}

function queryParameters({ query }: Route): Json[] {
  return Object.entries(query.shape).map(([name, schema]) => {
    const { description, ...rest } = plain(schema as z.core.$ZodType);
    return { name, in: 'query', required: false, ...(description !== undefined && { description }), schema: rest };
  });
}

function successes({ responses }: Route): Json {
  return Object.fromEntries(
    Object.entries(responses).map(([status, { type, summary, schema }]) => {
      const shape = schema === undefined ? { type: 'string' } : { $ref: reference(schema) };
      return [status, { description: summary, content: { [type]: { schema: shape } } }];
    }),
  );
}

function failures({ problems }: Route): Json {
  const statuses = [...new Set(problems.map((kind) => PROBLEMS[kind].status))].sort((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => {
      const kinds = problems.filter((kind) => PROBLEMS[kind].status === status);
      return [
        status,
        {
          description: kinds.map((kind) => `${PROBLEMS[kind].title} (\`${PROBLEM_TYPE}${kind}\`)`).join('; '),
          content: { 'application/problem+json': { schema: { $ref: reference('Problem') } } },
        },
      ];
    }),
  );
}

function components(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: reference, override: ({ jsonSchema }) => open(jsonSchema) });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _schema, $id: _id, id: _name, ...schema }]) => [id, schema]),
  );
}

function reference(id: string): string {
  return `#/components/schemas/${id}`;
}

function plain(schema: z.core.$ZodType): Json {
  const { $schema: _schema, ...rest } = z.toJSONSchema(schema, { override: ({ jsonSchema }) => open(jsonSchema) });
  return rest;
}

/** Answers may gain members in a later version, so no schema forbids them; `readOnly` and the bounds of every integer say nothing. */
function open(schema: {
  additionalProperties?: unknown;
  readOnly?: unknown;
  minimum?: unknown;
  maximum?: unknown;
}): void {
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  delete schema.readOnly;
}
