import type { Json } from '../config/json-schema.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print } from './output.ts';
import { hint, wrong } from './parse.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

const SCHEMAS: Readonly<Record<string, () => Promise<Json>>> = {
  bundle: async () => (await import('../init/bundle/json-schema.ts')).jsonSchema(),
  bottle: async () => (await import('../compose/bottle/json-schema.ts')).bottleJsonSchema(),
};

export async function schema({ names: [name = 'bundle'] }: Arguments<Verbs['schema']>): Promise<ExitCode> {
  const make = Object.hasOwn(SCHEMAS, name) ? SCHEMAS[name] : undefined;
  if (make === undefined) {
    const known = Object.keys(SCHEMAS);
    throw wrong(VERBS.schema, `"${name}" is not one of ${known.join(', ')}${hint(name, known)}`);
  }
  await print(`${JSON.stringify(await make(), undefined, 2)}\n`);
  return EXIT.ok;
}
