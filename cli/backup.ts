import { bytesOf } from '../backup/archive/contents.ts';
import { backUp } from '../backup/backup.ts';
import { describeByteSize } from '../config/byte-size.ts';
import { wholeBundle } from './bundle-file.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print } from './output.ts';
import { wrong } from './parse.ts';
import { tellProgress } from './progress.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

/** Backs up what of a bundle is nowhere else. */
export async function backup({ values }: Arguments<Verbs['backup']>): Promise<ExitCode> {
  const recipient = values.encrypt;
  if (values['with-secrets'] && recipient === undefined) {
    throw wrong(
      VERBS.backup,
      '--with-secrets needs --encrypt RECIPIENT: secrets are in no archive that anybody can read',
    );
  }
  const toStdout = values.output === '-';
  if (toStdout && process.stdout.isTTY) throw wrong(VERBS.backup, 'an archive is nothing for a terminal; redirect it');
  const { file, size, contents, notes } = await backUp(await wholeBundle(values.file), {
    output: toStdout ? undefined : (values.output ?? '.'),
    recipient,
    secrets: values['with-secrets'],
    reproducible: values['with-reproducible'],
    now: new Date(),
    tell: tellProgress,
  });
  for (const note of notes) process.stderr.write(`note: ${note}\n`);
  const { places, entries } = contents;
  const files = entries.filter(({ type }) => type === 'file').length;
  const what = `${files} files of ${places.length} places, ${describeByteSize(bytesOf(entries))}`;
  if (file === undefined) process.stderr.write(`${what}\n`);
  else if (values.json) await print(`${JSON.stringify({ file, size, files, places: places.map(({ id }) => id) })}\n`);
  else await print(`${file}: ${what}${recipient === undefined ? KEEP_IT_SAFE : ENCRYPTED}\n`);
  return EXIT.ok;
}

const KEEP_IT_SAFE =
  '; read back and sound\nit holds the key of the certificate authority: keep it where only you can read it';
const ENCRYPTED = '; encrypted';
