import { EXIT, type ExitCode } from './exit-codes.ts';
import { usageFailure } from './failure.ts';
import { helpText, verbHelp } from './help.ts';
import { print } from './output.ts';
import { hint } from './parse.ts';
import type { Arguments } from './verb.ts';
import { findVerb, VERB_NAMES, type Verbs } from './verbs.ts';

export async function help({ names }: Arguments<Verbs['help']>): Promise<ExitCode> {
  const [name] = names;
  if (name === undefined) {
    await print(helpText());
    return EXIT.ok;
  }
  const verb = findVerb(name);
  if (verb === undefined)
    throw usageFailure(`there is no verb "${name}"${hint(name, VERB_NAMES) || ';'} see bottled --help`);
  await print(verbHelp(verb));
  return EXIT.ok;
}
