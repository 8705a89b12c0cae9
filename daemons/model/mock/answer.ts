import * as z from 'zod/mini';

/** What a client asks of the mock. */
export const requestSchema = z.object({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).check(z.minLength(1)),
  stream: z._default(z.boolean(), false),
  response_format: z.optional(
    z.object({ type: z.string(), json_schema: z.optional(z.object({ schema: z.record(z.string(), z.unknown()) })) }),
  ),
});

export type MockRequest = z.output<typeof requestSchema>;

/** The answer of a model that knows nothing: it says the question back; where JSON is asked for, the plainest that fits. */
export function plainAnswer({ messages, response_format: format }: MockRequest): string {
  if (format?.type === 'json_schema') return JSON.stringify(instanceOf(format.json_schema?.schema ?? {}));
  if (format?.type === 'json_object') return '{}';
  return `The mock was asked: ${messages.at(-1)?.content.slice(0, 200) ?? ''}`;
}

/** A value of a JSON Schema: the first of an enumeration, the same word for every text. */
function instanceOf(schema: unknown): unknown {
  const { type, enum: choices, properties, items } = shapeOf(schema);
  if (choices !== undefined) return choices[0];
  if (type === 'object' || properties !== undefined) {
    return Object.fromEntries(Object.entries(properties ?? {}).map(([name, value]) => [name, instanceOf(value)]));
  }
  if (type === 'array') return items === undefined ? [] : [instanceOf(items)];
  if (type === 'number' || type === 'integer') return 0;
  return type === 'boolean' ? false : 'mock';
}

const shape = z.object({
  type: z.optional(z.string()),
  enum: z.optional(z.array(z.unknown())),
  properties: z.optional(z.record(z.string(), z.unknown())),
  items: z.optional(z.unknown()),
});

function shapeOf(schema: unknown): z.output<typeof shape> {
  return shape.safeParse(schema).data ?? {};
}
