import { run as runBundle } from '../init/main.ts';
import type { SignalInbox } from '../init/signals.ts';
import { bundleFile, namesOf } from './bundle-file.ts';
import type { Arguments } from './verb.ts';
import type { Verbs } from './verbs.ts';

/** Becomes the init. It ends the process itself, with the bundle's exit code. */
export async function run({ values }: Arguments<Verbs['run']>, signals: SignalInbox): Promise<undefined> {
  const { socket } = values;
  const only = namesOf(values.only);
  const logFormat = LOG_FORMATS.find((format) => format === values['log-format']);
  await runBundle({
    file: bundleFile(values.file),
    signals,
    ...(only !== undefined && { only }),
    ...(socket !== undefined && { socket }),
    ...(logFormat !== undefined && { logFormat }),
  });
  return undefined;
}

const LOG_FORMATS = ['text', 'json', 'raw'] as const;
