import { hash, randomBytes } from 'node:crypto';
import { type Reporter, tellAnswer } from '../../reports/reporter.ts';
import type { Ask } from './enforce.ts';
import type { JsonValue } from './json.ts';
import { argumentsIn, describe, type Exchange, nameIn } from './judge.ts';
import type { Redactor } from './redact.ts';

/** Messages that wait for the operator at once. */
const MOST_ASKED = 32;
/** Characters of what is judged that a person is shown. */
const LONGEST_EXCERPT = 2000;
/** Characters of one text in it, tried in turn. */
const LONGEST_TEXTS = [1000, 300, 100, 30];

export interface AskOperatorOptions {
  readonly reporter: Reporter;
  /** Hides what is secret in what the operator is shown. */
  readonly redactor: () => Redactor;
}

/** Asks the operator by way of supervise. A yes is for this one message: the same again is another question. */
export function createAskOperator({ reporter, redactor }: AskOperatorOptions): Ask {
  let asked = 0;
  return async ({ exchange, rule, reason, timeout, signal }) => {
    if (asked >= MOST_ASKED)
      return { allowed: false, why: `${MOST_ASKED} calls wait for the operator already; try again` };
    asked += 1;
    try {
      const facts = factsOf(exchange, rule, redactor());
      const matter = { facts, justification: `${redactor().mask(describe(exchange))}: ${reason}` };
      const answer = await reporter.ask(matter, { wait_ms: timeout, signal, isOnce: true });
      return answer.kind === 'approved' ? { allowed: true } : { allowed: false, why: tellAnswer(answer) };
    } finally {
      asked -= 1;
    }
  };
}

function factsOf(exchange: Exchange, rule: string, redactor: Redactor): Readonly<Record<string, string>> {
  const { direction, tool, method, agent, session } = exchange;
  const judged = direction === 'result' ? (exchange.result ?? null) : argumentsIn(exchange);
  const text = JSON.stringify(judged);
  return {
    tool,
    method,
    name: redactor.mask(nameIn(exchange) ?? ''),
    direction,
    rule,
    agent: redactor.mask(agent),
    // A client that knows a session's id could speak in it.
    session: session === '' ? '' : hash('sha256', session).slice(0, 12),
    [direction === 'result' ? 'result' : 'arguments']: excerpt(redactor.known(judged), redactor),
    bytes: String(Buffer.byteLength(text)),
    digest: hash('sha256', text),
    // So that no answer counts for a second message.
    request: randomBytes(8).toString('hex'),
  };
}

/**
 * Long texts in it are cut until all of it fits, so that no argument hides behind another; then the whole, where a word ends: half of a secret
 * would not be recognised as one.
 */
function excerpt(value: JsonValue, redactor: Redactor): string {
  const whole = redactor.mask(JSON.stringify(value));
  if (whole.length <= LONGEST_EXCERPT) return whole;
  for (const longest of LONGEST_TEXTS) {
    const text = redactor.mask(JSON.stringify(value, (_key, one: JsonValue) => shortened(one, longest, redactor)));
    if (text.length <= LONGEST_EXCERPT) return `${text} (long texts are cut: ${whole.length} characters in all)`;
  }
  const begin = whole.slice(0, LONGEST_EXCERPT).replace(/[^\s,:"]+$/u, '');
  return `${begin}… (${whole.length} characters in all)`;
}

function shortened(value: JsonValue, longest: number, redactor: Redactor): JsonValue {
  if (typeof value !== 'string' || value.length <= longest) return value;
  return `${redactor.mask(value).slice(0, longest)}…`;
}
