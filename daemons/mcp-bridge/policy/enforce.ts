import type { Log } from '../../log/log.ts';
import { isObject, type JsonObject, type JsonValue } from './json.ts';
import {
  applyChanges,
  type Decision,
  describe,
  type Exchange,
  judge,
  type Redaction,
  type Rules,
  withJudged,
} from './judge.ts';
import { type Redactor, redactByRule } from './redact.ts';

/** What to do with one message. */
export type Verdict =
  | {
      readonly pass: true;
      /** What to pass on: the params of a request, as they came or changed. */
      readonly params: JsonObject;
      /** For a result: what to pass on. */
      readonly result: JsonValue;
      readonly isChanged: boolean;
      readonly decision: Decision;
    }
  | {
      readonly pass: false;
      /** For who is refused: `blocked by rule "no-env": …`. Holds no secret. */
      readonly message: string;
      readonly decision: Decision;
    };

/** Asks a person. A rejection is a no. */
export type Ask = (question: Question) => Promise<Answer>;

/** `why`: for who is refused. Holds no secret. */
export type Answer = { readonly allowed: true } | { readonly allowed: false; readonly why: string };

export interface Question {
  readonly exchange: Exchange;
  readonly rule: string;
  readonly reason: string;
  /** How long there is for an answer. Milliseconds. */
  readonly timeout: number;
  /** Aborted when the time for an answer is over, or who asked has gone. */
  readonly signal: AbortSignal;
}

export interface EnforcerOptions {
  readonly rules: Rules;
  readonly redactor: Redactor;
  /** Absent: what is to be asked is refused. */
  readonly ask?: Ask | undefined;
  readonly log: Log;
}

/** Puts decisions into effect and logs them. */
export interface Enforcer {
  /** A promise only where one is needed (a person, the scanner). Never throws, never rejects: what goes wrong is a no in blocking mode. */
  check(exchange: Exchange, signal?: AbortSignal): Verdict | Promise<Verdict>;
}

/** An enforcer of `rules`. */
export function createEnforcer(options: EnforcerOptions): Enforcer {
  const { rules, log } = options;
  const { mask } = options.redactor;

  function check(exchange: Exchange, signal?: AbortSignal): Verdict | Promise<Verdict> {
    try {
      const decision = judge(rules, exchange);
      note(exchange, decision);
      const verdict = decision.enforced ? enforce(exchange, decision, signal) : passed(exchange, exchange, decision);
      return verdict instanceof Promise ? verdict.catch((error: unknown) => failed(exchange, error)) : verdict;
    } catch (error) {
      return failed(exchange, error);
    }
  }

  function enforce(exchange: Exchange, decision: Decision, signal?: AbortSignal): Verdict | Promise<Verdict> {
    const { action } = decision;
    switch (action.kind) {
      case 'block':
        return refused(exchange, decision);
      case 'allow':
        return cleaned(exchange, exchange, decision);
      case 'modify':
        return cleaned(exchange, applyChanges(exchange, action.changes), decision);
      case 'redact':
        return cleaned(exchange, redacted(exchange, action.redaction, options.redactor), decision);
      case 'ask':
        return asked(exchange, decision, action.timeout, signal);
    }
  }

  async function asked(
    exchange: Exchange,
    decision: Decision,
    timeout: number,
    signal?: AbortSignal,
  ): Promise<Verdict> {
    if (options.ask === undefined) return refused(exchange, decision, 'nobody can be asked here');
    const limit = AbortSignal.timeout(timeout);
    const until = signal === undefined ? limit : AbortSignal.any([limit, signal]);
    const { promise: gone, resolve } = Promise.withResolvers<'gone'>();
    until.addEventListener('abort', () => resolve('gone'), { once: true });
    if (until.aborted) resolve('gone');
    const rule = decision.rule ?? '';
    const question = { exchange, rule, reason: decision.reason, timeout, signal: until };
    const answer = await Promise.race([options.ask(question), gone]);
    if (answer === 'gone') return refused(exchange, decision, 'nobody answered in time');
    log(answer.allowed ? 'info' : 'warn', `${mask(describe(exchange))} ${toldAs(answer)}`, {
      event: 'policy-answer',
      ...fieldsOf(exchange),
      rule,
      allowed: answer.allowed,
    });
    return answer.allowed ? cleaned(exchange, exchange, decision) : refused(exchange, decision, mask(answer.why));
  }

  /** What goes to a client goes without the secrets that are known here, whatever rule let it pass. */
  function cleaned(exchange: Exchange, made: Exchange, decision: Decision): Verdict | Promise<Verdict> {
    if (exchange.direction === 'request') return passed(exchange, made, decision);
    const { redactor } = options;
    const isResult = exchange.direction === 'result';
    const value = redactor.known(isResult ? (made.result ?? null) : made.params);
    const put = (clean: JsonValue): Exchange => (isResult ? { ...made, result: clean } : withParams(made, clean));
    if (redactor.scanned === undefined) return passed(exchange, put(value), decision);
    return redactor.scanned(value).then((clean) => passed(exchange, put(clean), decision));
  }

  function failed(exchange: Exchange, error: unknown): Verdict {
    const reason = `the policy could not be applied: ${error instanceof Error ? error.message : String(error)}`;
    const decision: Decision = {
      action: { kind: 'block' },
      rule: undefined,
      reason: mask(reason),
      enforced: rules.mode === 'blocking',
    };
    log('error', `${mask(describe(exchange))}: ${decision.reason}`, { event: 'policy-error', ...fieldsOf(exchange) });
    return decision.enforced ? refused(exchange, decision) : passed(exchange, exchange, decision);
  }

  function note(exchange: Exchange, { action, rule, reason, enforced }: Decision): void {
    if (action.kind === 'allow') return;
    const what = PARTICIPLES[action.kind];
    const how = enforced ? `is ${what}` : `would be ${what} (audit mode: it passes)`;
    const by = rule === undefined ? '' : ` by rule ${JSON.stringify(rule)}`;
    log('warn', `${mask(describe(exchange))} ${how}${by}: ${reason}`, {
      event: 'policy-decision',
      ...fieldsOf(exchange),
      action: action.kind,
      rule,
      enforced,
    });
  }

  return { check };
}

function withParams(exchange: Exchange, params: JsonValue): Exchange {
  if (!isObject(params)) throw new Error('params are a map');
  return { ...exchange, params };
}

/** What clients ask for goes without known secrets too, where a rule hides something in it. */
function redacted(exchange: Exchange, redaction: Redaction, redactor: Redactor): Exchange {
  const isResult = exchange.direction === 'result';
  const clean = isResult ? exchange : withParams(exchange, redactor.known(exchange.params));
  return withJudged(clean, redaction.paths, (judged) => redactByRule(judged, redaction));
}

function passed(exchange: Exchange, made: Exchange, decision: Decision): Verdict {
  const isChanged = made.params !== exchange.params || made.result !== exchange.result;
  return { pass: true, params: made.params, result: made.result ?? null, isChanged, decision };
}

function refused(exchange: Exchange, decision: Decision, why = decision.reason): Verdict {
  const by = decision.rule === undefined ? 'by policy' : `by rule ${JSON.stringify(decision.rule)}`;
  return { pass: false, message: `${describe(exchange)} is blocked ${by}: ${why}`, decision };
}

function toldAs(answer: Answer): string {
  return answer.allowed ? 'passes: the operator said yes' : `does not pass: ${answer.why}`;
}

const PARTICIPLES = { block: 'blocked', redact: 'redacted', modify: 'modified', ask: 'asked for' } as const;

function fieldsOf({ direction, tool, method, agent, session }: Exchange): Readonly<Record<string, string>> {
  return { direction, tool, method: method.slice(0, 128), agent, session };
}
