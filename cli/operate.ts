import { type Answer, createClient, refused } from './client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { print, shown } from './output.ts';
import { parseTime, wrong } from './parse.ts';
import { readStatus, requireKnown } from './read.ts';
import type { Arguments, Verb } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

/** ms to wait for a daemon where --timeout says nothing else. */
const WAIT = 60_000;

export async function operate(
  verb: 'start' | 'stop' | 'restart',
  { values, names }: Arguments<Verbs['start']>,
): Promise<ExitCode> {
  const timeout = values.timeout === undefined ? WAIT : parseTime(VERBS[verb], 'timeout', values.timeout);
  const wait = values['no-wait'] ? 0 : timeout;
  const client = createClient(values.socket);
  const chosen = await choose(VERBS[verb], client, values.all, names);
  const answers = await Promise.all(
    chosen.map((name) =>
      client.ask('POST', `/v1/daemons/${encodeURIComponent(name)}/${verb}?wait=${wait}`, { timeout: wait + 5_000 }),
    ),
  );
  return report(answers, values.json);
}

export async function signal({ values, names }: Arguments<Verbs['signal']>): Promise<ExitCode> {
  const [name = '', ...daemons] = names;
  const client = createClient(values.socket);
  const chosen = await choose(VERBS.signal, client, values.all, daemons);
  const answers = await Promise.all(
    chosen.map((daemon) =>
      client.ask('POST', `/v1/daemons/${encodeURIComponent(daemon)}/signal`, { body: { signal: name } }),
    ),
  );
  return report(answers, values.json);
}

/** The daemons that are meant, all of them known: a wrong name must not leave the command half done. */
async function choose(
  verb: Verb,
  client: ReturnType<typeof createClient>,
  all: boolean,
  names: readonly string[],
): Promise<readonly string[]> {
  if (all === names.length > 0)
    throw wrong(verb, all ? 'give names or --all, not both' : 'name a daemon, or give --all');
  const known = (await readStatus(client)).daemons.map(({ name }) => name);
  requireKnown(names, known);
  return all ? known : [...new Set(names)];
}

/** Prints every answer; fails with what the first one that failed stands for, after the rest has been told. */
async function report(answers: readonly Answer[], json: boolean): Promise<ExitCode> {
  const failures: Failure[] = [];
  for (const answer of answers) {
    if (json) await print(answer.body);
    else if (answer.status < 300) await print(`${shown(textOf(answer))}\n`);
    if (answer.status >= 300) failures.push(refused(answer));
  }
  const [first] = failures;
  if (first === undefined) return EXIT.ok;
  throw new Failure(first.code, failures.map(({ message }) => message).join('\n'));
}

function textOf({ body }: Answer): string {
  // The control API sends this member (CommandResult and SignalResult in init/control/schemas.ts).
  const { text } = JSON.parse(body) as { text: string };
  return text;
}
