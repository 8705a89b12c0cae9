import { type AuditEntry, MOST_ENTRIES } from '../init/control/audit.ts';
import type { HistoryEntry } from '../init/status.ts';
import { createClient } from './client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { paint, print, shown } from './output.ts';
import { readText } from './read.ts';
import type { Arguments } from './verb.ts';
import type { Verbs } from './verbs.ts';

export async function events({ values }: Arguments<Verbs['events']>): Promise<ExitCode> {
  const client = createClient(values.socket);
  if (values.commands) {
    if (values.follow) throw new Failure(EXIT.usage, 'events: -f and --commands do not go together; give one of them');
    return printCommands(await readText(client, `/v1/audit?lines=${MOST_ENTRIES}`), values.json);
  }
  const write = (entry: HistoryEntry): Promise<void> =>
    print(values.json ? `${JSON.stringify(entry)}\n` : eventText(entry));
  // The schemas of the control API are checked against this type (init/control/schemas.ts).
  const history = JSON.parse(await readText(client, '/v1/events')) as { events: HistoryEntry[] };
  for (const entry of history.events) await write(entry);
  if (!values.follow) return EXIT.ok;

  const last = history.events.at(-1)?.id ?? 0;
  let event = '';
  for await (const line of client.lines(`/v1/events?after=${last}`, 'text/event-stream')) {
    if (line.startsWith('event: ')) event = line.slice('event: '.length);
    if (!line.startsWith('data: ') || event === 'snapshot' || event === 'gap') continue;
    await write(JSON.parse(line.slice('data: '.length)) as HistoryEntry);
  }
  return EXIT.ok;
}

async function printCommands(answer: string, asJson: boolean): Promise<ExitCode> {
  // The schemas of the control API are checked against this type (init/control/schemas.ts).
  const { entries } = JSON.parse(answer) as { entries: AuditEntry[] };
  for (const entry of entries) await print(asJson ? `${JSON.stringify(entry)}\n` : commandText(entry));
  return EXIT.ok;
}

function commandText({ time, plane, who, command, daemon, result, text }: AuditEntry): string {
  const what = daemon === null ? command : `${command} ${daemon}`;
  const by = who === null ? '' : ` (${who})`;
  const verdict = paint(result === 'accepted' ? 'green' : 'red', result.padEnd(8));
  return `${time}  ${plane.padEnd(6)}  ${verdict}  ${shown(`${what}: ${text}${by}`)}\n`;
}

const STYLES = { changed: 'cyan', incident: 'red', answer: 'gray', ending: 'yellow', fault: 'red' } as const;

function eventText({ time, type, daemon, text, plane }: HistoryEntry): string {
  const by = plane === undefined ? '' : ` (by ${plane})`;
  const about = daemon === undefined ? '' : `${daemon}: `;
  return `${time}  ${paint(STYLES[type], type.padEnd(8))}  ${shown(`${about}${text}`)}${by}\n`;
}
