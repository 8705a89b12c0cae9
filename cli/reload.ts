import { createClient, refused } from './client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, shown } from './output.ts';
import type { Arguments } from './verb.ts';
import type { Verbs } from './verbs.ts';

export async function reload({ values }: Arguments<Verbs['reload']>): Promise<ExitCode> {
  const answer = await createClient(values.socket).ask('POST', '/v1/reload');
  if (values.json) await print(answer.body);
  if (answer.status !== 200) throw refused(answer);
  // The control API sends this member (ReloadResult in init/control/schemas.ts).
  const { text } = JSON.parse(answer.body) as { text: string };
  if (!values.json) for (const line of text.split('\n')) await print(`${shown(line)}\n`);
  return EXIT.ok;
}
