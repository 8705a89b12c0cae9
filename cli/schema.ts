import { jsonSchema } from '../init/bundle/json-schema.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print } from './output.ts';

export async function schema(): Promise<ExitCode> {
  await print(`${JSON.stringify(jsonSchema(), undefined, 2)}\n`);
  return EXIT.ok;
}
