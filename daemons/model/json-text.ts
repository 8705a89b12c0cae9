import { parseJson } from './exchange.ts';
import { SidecarLlmError } from './fault.ts';

/** One code fence around everything (CommonMark 0.31, "Fenced code blocks"), as models put around JSON. */
const FENCE = /^```(?:json)?[ \t]*\r?\n(.*?)\r?\n?```$/is;

/** A text that `JSON.parse` takes, from an answer that is one, with a code fence around it or not. Throws a `not-json` where it is none. */
export function jsonText(answer: string): string {
  const text = answer.trim();
  const inner = (FENCE.exec(text)?.[1] ?? text).trim();
  if (parseJson(inner) === undefined) throw new SidecarLlmError({ kind: 'not-json' });
  return inner;
}
