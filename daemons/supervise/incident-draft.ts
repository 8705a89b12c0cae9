import type { Scanner } from '../scanner/finding.ts';
import type { Draft } from './queue/submit.ts';
import { maskSecrets } from './secrets.ts';
import { printableText } from './text.ts';

/** What is told of an incident, by the init or by the operator's side. */
export interface ToldIncident {
  readonly daemon: string;
  readonly cause: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** RFC 3339; absent where it is not known. */
  readonly time?: string;
}

/** Who feeds incidents, in the queue. */
const SOURCE = 'init';

/** An incident as a draft for the queue, fit for the log whatever its lines held. */
export async function incidentDraft(scanner: Scanner, told: ToldIncident): Promise<Draft> {
  const masked = (text: string): Promise<string> => fitForLog(scanner, text);
  const { daemon, cause, text, lines, time } = told;
  const facts = { daemon: await masked(daemon), cause: await masked(cause), lines: await masked(lines.join('\n')) };
  return {
    kind: 'incident',
    source: SOURCE,
    justification: await masked(text),
    target: '',
    current: '',
    currentHash: '',
    proposed: '',
    facts: time === undefined ? facts : { ...facts, time: await masked(time) },
  };
}

/** A text without secrets and control characters; where that cannot be told, words in its place. */
export async function fitForLog(scanner: Scanner, text: string): Promise<string> {
  const result = await maskSecrets(scanner, printableText(text));
  return result.ok ? result.text : '(left out: it could not be told whether it holds a secret)';
}
