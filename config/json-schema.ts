import * as z from 'zod/mini';

export type Json = Readonly<Record<string, unknown>>;

export interface SchemaTitle {
  /** Its `$id`: the file name under which it is kept. */
  readonly id: string;
  /** The name of the file that it describes. */
  readonly title: string;
  readonly description: string;
}

/** The JSON Schema (draft 2020-12) of a configuration file, with a description and the default of every key. */
export function jsonSchemaOf(schema: z.core.$ZodType, { id, title, description }: SchemaTitle): Json {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema: made }) => {
      if (zodSchema instanceof z.core.$ZodDefault) {
        const { innerType, defaultValue } = zodSchema._zod.def;
        made.default = z.encode(innerType, defaultValue);
      }
    },
  });
  return { $schema, $id: id, title, description, ...rest };
}
