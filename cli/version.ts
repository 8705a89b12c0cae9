import { VERSION } from '../init/version.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print } from './output.ts';
import type { Arguments } from './verb.ts';
import type { Verbs } from './verbs.ts';

export async function version({ values }: Arguments<Verbs['version']>): Promise<ExitCode> {
  const { node } = process.versions;
  await print(values.json ? `${JSON.stringify({ version: VERSION, node })}\n` : `bottled ${VERSION}\n`);
  return EXIT.ok;
}
