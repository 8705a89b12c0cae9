import type { Enforcer, Verdict } from '../policy/enforce.ts';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../policy/json.ts';
import type { Direction } from '../policy/judge.ts';
import type { Context, Contexts } from './context.ts';

/**
 * The interceptor contract of Polis, version 1.0: `POST /intercept/before` and `/intercept/after`, told apart as well by `type`, and joined by
 * `request_id`. Answers `{ action: "pass" | "block" | "modify", reason?, modified_data?, metadata? }`.
 */

export interface PolisAnswer {
  readonly status: number;
  readonly body: JsonObject;
}

export interface PolisOptions {
  readonly enforcer: Enforcer;
  readonly contexts: Contexts;
  readonly hasTool: (name: string) => boolean;
  readonly now: number;
  readonly signal?: AbortSignal;
}

/** Answers one request. Never rejects. */
export async function answerPolis(type: 'before' | 'after', text: string, options: PolisOptions): Promise<PolisAnswer> {
  const body = parseJson(text);
  if (!isObject(body)) return refused(400, 'the body is no JSON object');
  const fault = faultOf(type, body);
  if (fault !== undefined) return refused(400, fault);
  const tool = textIn(body, 'tool_id');
  if (!options.hasTool(tool)) return refused(404, `there is no tool ${JSON.stringify(tool)} in the policy`);
  return type === 'before' ? before(body, options) : after(body, options);
}

async function before(body: JsonObject, { enforcer, contexts, now, signal }: PolisOptions): Promise<PolisAnswer> {
  const id = textIn(body, 'request_id');
  const who = callerIn(body);
  const known = contexts.get(id, now);
  if (known !== undefined && !isSame(known, who)) {
    return refused(200, 'another request has this request_id; give each an id of its own');
  }
  const { params = {} } = body;
  const request = { ...who, method: textIn(body, 'method'), params: isObject(params) ? params : {} };
  const verdict = await enforcer.check({ direction: 'request', ...request }, signal);
  contexts.put(id, { ...request, passed: verdict.pass, started: now }, now);
  return answerOf('request', verdict);
}

async function after(body: JsonObject, { enforcer, contexts, now, signal }: PolisOptions): Promise<PolisAnswer> {
  const context = contexts.get(textIn(body, 'request_id'), now);
  if (context === undefined || !isSame(context, callerIn(body))) {
    return refused(200, 'no request with this request_id was judged here, or too long ago');
  }
  if (!context.passed) return refused(200, 'the request was blocked, so it can have no result');
  const { tool, agent, session, method, params } = context;
  const result = body.result ?? body.error ?? null;
  const verdict = await enforcer.check({ direction: 'result', tool, agent, session, method, params, result }, signal);
  return answerOf('result', verdict, { duration_ms: now - context.started });
}

function answerOf(direction: Direction, verdict: Verdict, facts: JsonObject = {}): PolisAnswer {
  const { decision } = verdict;
  const metadata = { ...facts, rule: decision.rule ?? null, enforced: decision.enforced };
  if (!verdict.pass) return { status: 200, body: { action: 'block', reason: verdict.message, metadata } };
  if (!verdict.isChanged) return { status: 200, body: { action: 'pass', metadata } };
  const made = direction === 'request' ? verdict.params : verdict.result;
  return { status: 200, body: { action: 'modify', reason: decision.reason, modified_data: made, metadata } };
}

/** A refusal that is not of a rule. */
export function refused(status: number, reason: string): PolisAnswer {
  return { status, body: { action: 'block', reason } };
}

const LONGEST_ID = 256;

function faultOf(type: 'before' | 'after', body: JsonObject): string | undefined {
  if (body.version !== undefined && body.version !== '1.0') return 'version is not "1.0"';
  if (body.type !== undefined && body.type !== type) return `type is not "${type}", which this path is for`;
  for (const key of ['request_id', 'tool_id'] as const) {
    if (typeof body[key] !== 'string' || body[key] === '') return `${key} is missing`;
  }
  for (const key of ['request_id', 'tool_id', 'agent_id', 'session_id', 'method'] as const) {
    const value = body[key];
    if (value !== undefined && typeof value !== 'string') return `${key} is no text`;
    if (value !== undefined && value.length > LONGEST_ID) return `${key} is longer than ${LONGEST_ID} characters`;
  }
  if (type === 'after') {
    return body.result === undefined && body.error === undefined ? 'neither result nor error is there' : undefined;
  }
  if (typeof body.method !== 'string' || body.method === '') return 'method is missing';
  return isMapOrMissing(body.params) ? undefined : 'params is no JSON object';
}

function isMapOrMissing(value: JsonValue | undefined): boolean {
  return value === undefined || value === null || isObject(value);
}

type Who = Pick<Context, 'tool' | 'agent' | 'session'>;

function callerIn(body: JsonObject): Who {
  return { tool: textIn(body, 'tool_id'), agent: textIn(body, 'agent_id'), session: textIn(body, 'session_id') };
}

function isSame(a: Who, b: Who): boolean {
  return a.tool === b.tool && a.agent === b.agent && a.session === b.session;
}

function textIn(body: JsonObject, key: string): string {
  const value = body[key];
  return typeof value === 'string' ? value : '';
}
