import { daemonPrefix } from '../init/logs/prefix.ts';
import { createClient } from './client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { coloured, print, shown } from './output.ts';
import { wrong } from './parse.ts';
import { readStatus, requireKnown } from './read.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

/** More lines than a ring can hold. */
const ALL_LINES = 1_000_000;

export async function logs({ values, names }: Arguments<Verbs['logs']>): Promise<ExitCode> {
  const lines = lineCount(values.lines ?? '100');
  const client = createClient(values.socket);
  const known = (await readStatus(client)).daemons.map(({ name }) => name);
  requireKnown(names, known);

  const query = new URLSearchParams({ lines: String(lines) });
  if (names.length > 0) query.set('daemon', names.join(','));
  if (values.follow) query.set('follow', '1');
  const prefixes = values['no-prefix'] ? undefined : prefixesOf(known, names);
  for await (const line of client.lines(`/v1/logs?${query}`, 'application/x-ndjson')) {
    await print(values.json ? `${line}\n` : text(line, prefixes));
  }
  return EXIT.ok;
}

function lineCount(text: string): number {
  if (text === 'all') return ALL_LINES;
  const count = Number(text);
  if (!/^\d+$/.test(text) || count > ALL_LINES) {
    throw wrong(VERBS.logs, `--lines "${text}" is not a number up to ${ALL_LINES} or "all"`);
  }
  return count;
}

/** The same prefix as in the log of the init, in the same colour. */
function prefixesOf(known: readonly string[], names: readonly string[]): ReadonlyMap<string, string> {
  const width = Math.max(0, ...(names.length === 0 ? known : names).map((name) => name.length));
  const colour = coloured();
  return new Map(known.map((name, index) => [name, daemonPrefix(name, index, { colour, width })]));
}

function text(line: string, prefixes: ReadonlyMap<string, string> | undefined): string {
  // The control API sends this shape (LogLine in init/control/schemas.ts).
  const { daemon, message } = JSON.parse(line) as { daemon: string; message: string };
  return `${prefixes?.get(daemon) ?? ''}${shown(message)}\n`;
}
