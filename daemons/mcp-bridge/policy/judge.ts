import { posix } from 'node:path';
import type { RE2JS } from 're2js';
import { createEffort, type Effort } from './effort.ts';
import { isObject, type JsonObject, type JsonValue, objectOf, textOf } from './json.ts';
import { type JsonPath, valuesAt, withoutValueAt, withValueAt } from './json-path.ts';
import { checkNaming, checkSpelling, checkUri, readingsOf } from './spelling.ts';

/**
 * Which way a message goes: `request` from client to tool, `tool-request` from tool to client (sampling, elicitation, roots; in MCP
 * 2026-07-28 an input request inside a result), `result` of a client's request (or what a tool tells: a notification, an error).
 */
export type Direction = 'request' | 'tool-request' | 'result';

/**
 * One message to be judged. What is judged must be what is passed on: a message that goes on as the text it came as could mean
 * something else to the tool (a key written twice), so pass on what was parsed.
 */
export interface Exchange {
  readonly direction: Direction;
  /** The tool's name in the policy. */
  readonly tool: string;
  /** The method; for a result that of its request. */
  readonly method: string;
  /** The params of the request, with names as the tool knows them; for a result those of its request. */
  readonly params: JsonObject;
  /** For a result: the result. */
  readonly result?: JsonValue;
  /** Who calls; empty where it is not known. */
  readonly agent: string;
  readonly session: string;
}

export type Mode = 'blocking' | 'audit';

/** The rules of a policy, compiled. */
export interface Rules {
  readonly mode: Mode;
  /** What happens where no rule matches. */
  readonly otherwise: Readonly<Record<Direction, 'allow' | 'block'>>;
  readonly rules: readonly Rule[];
}

/** What one rule says. All of its conditions must hold; one that is undefined always does. */
export interface Rule {
  readonly name: string;
  readonly directions: readonly Direction[];
  readonly tools: NameTest | undefined;
  /** Undefined: every method but {@link isHousekeeping}. */
  readonly methods: NameTest | undefined;
  /** What is asked for: the name in tools/call and prompts/get, the uri in resources/*. */
  readonly names: NameTest | undefined;
  readonly agents: NameTest | undefined;
  readonly sessions: NameTest | undefined;
  readonly arguments: readonly ValueTest[];
  readonly result: readonly ValueTest[];
  readonly action: Action;
  /** For whoever is refused and for the log. */
  readonly reason: string;
}

type NameTest = (name: string) => boolean;

/** A condition on the values at a path. */
export interface ValueTest {
  readonly path: JsonPath;
  readonly test: Test;
}

export type Test =
  | { readonly kind: 'exists'; readonly expected: boolean }
  | { readonly kind: 'one-of'; readonly values: readonly (string | number | boolean | null)[] }
  | { readonly kind: 'matches'; readonly pattern: RE2JS }
  | { readonly kind: 'within'; readonly folder: string }
  | { readonly kind: 'greater-than'; readonly bound: number }
  | { readonly kind: 'less-than'; readonly bound: number };

export type Action =
  | { readonly kind: 'allow' }
  | { readonly kind: 'block' }
  | { readonly kind: 'redact'; readonly redaction: Redaction }
  | { readonly kind: 'modify'; readonly changes: readonly ArgumentChange[] }
  /** `timeout` in milliseconds. */
  | { readonly kind: 'ask'; readonly timeout: number };

/** What a rule hides beyond what the policy hides everywhere. */
export interface Redaction {
  readonly paths: readonly JsonPath[];
  readonly patterns: readonly RE2JS[];
}

/** `value` undefined: what stands there is taken out. */
export interface ArgumentChange {
  readonly path: JsonPath;
  readonly value: JsonValue | undefined;
}

/** What is to be done with one message, and why. */
export interface Decision {
  readonly action: Action;
  /** The name of the rule; undefined where none matched. */
  readonly rule: string | undefined;
  readonly reason: string;
  /** False in audit mode: the message passes as it is, and the log tells what would have been done. */
  readonly enforced: boolean;
}

/** The first rule that matches decides. Pure. Throws where a message cannot be looked through: who asked must refuse. */
export function judge({ mode, otherwise, rules }: Rules, exchange: Exchange): Decision {
  const enforced = mode === 'blocking';
  const effort = createEffort();
  if (exchange.direction === 'request' && isNaming(exchange.method)) checkNaming(exchange.params);
  const rule = rules.find((each) => matches(each, exchange, effort));
  if (rule !== undefined) return { action: rule.action, rule: rule.name, reason: rule.reason, enforced };
  const { direction, method } = exchange;
  if (isHousekeeping(method) || otherwise[direction] === 'allow') {
    return { action: ALLOW, rule: undefined, reason: 'no rule objects', enforced };
  }
  return { action: BLOCK, rule: undefined, reason: `no rule allows ${describe(exchange)}`, enforced };
}

const ALLOW: Action = { kind: 'allow' };
const BLOCK: Action = { kind: 'block' };

/** Methods that open a conversation, list what there is, or go on with what was judged already. */
export function isHousekeeping(method: string): boolean {
  return HOUSEKEEPING.has(method) || method.startsWith('notifications/');
}

/** Requests of that kind, in both eras of MCP. */
export const HOUSEKEEPING: ReadonlySet<string> = new Set([
  'initialize',
  'server/discover',
  'ping',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/unsubscribe',
  'subscriptions/listen',
  'logging/setLevel',
  'tasks/list',
  'tasks/get',
  'tasks/result',
  'tasks/update',
  'tasks/cancel',
]);

function matches(rule: Rule, exchange: Exchange, effort: Effort): boolean {
  const { direction, tool, method, agent, session } = exchange;
  if (!rule.directions.includes(direction)) return false;
  if (rule.methods === undefined ? isHousekeeping(method) : !rule.methods(method)) return false;
  if (rule.tools?.(tool) === false) return false;
  if (rule.agents?.(agent) === false) return false;
  if (rule.sessions?.(session) === false) return false;
  if (rule.names !== undefined) {
    const name = nameIn(exchange);
    if (name !== undefined && isOfResources(method)) checkUri(name);
    if (name === undefined || !rule.names(name)) return false;
  }
  // A result holds what names it likes; a request none that the rules could miss.
  const onName = direction === 'result' ? undefined : checkSpelling;
  const how: How = { every: LETS_PASS.has(rule.action.kind), effort, onName };
  return (
    rule.arguments.every((test) => holds(test, argumentsIn(exchange), how)) &&
    rule.result.every((test) => holds(test, exchange.result, how))
  );
}

function isNaming(method: string): boolean {
  return HAS_ARGUMENTS.has(method) || isOfResources(method);
}

function isOfResources(method: string): boolean {
  return method.startsWith('resources/');
}

/** For these a single value that passes is not enough: `paths: ["/project/a", "/etc/shadow"]` is not within /project. */
const LETS_PASS: ReadonlySet<Action['kind']> = new Set(['allow', 'modify', 'redact']);

/** What a request asks for by name. */
export function nameIn({ method, params }: Pick<Exchange, 'method' | 'params'>): string | undefined {
  const key = isOfResources(method) ? 'uri' : 'name';
  return Object.hasOwn(params, key) ? textOf(params[key]) : undefined;
}

/** What paths of `arguments` count from: the arguments of a call; for other methods its params. */
export function argumentsIn({ method, params }: Pick<Exchange, 'method' | 'params'>): JsonObject {
  return HAS_ARGUMENTS.has(method) ? objectOf(params.arguments) : params;
}

const HAS_ARGUMENTS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get']);

interface How {
  /** Whether all values have to pass, and not only one. */
  readonly every: boolean;
  readonly effort: Effort;
  /** Called with each value in which a name is looked for. */
  readonly onName: typeof checkSpelling | undefined;
}

function holds({ path, test }: ValueTest, root: JsonValue | undefined, { every, effort, onName }: How): boolean {
  const values = valuesAt(root, path, onName);
  if (test.kind === 'exists') return values.length > 0 === test.expected;
  if (values.length === 0) return false;
  const passesOne = (value: JsonValue): boolean => passes(test, value, effort);
  return every ? values.every(passesOne) : values.some((value) => readingsOf(value).some(passesOne));
}

function passes(test: Exclude<Test, { readonly kind: 'exists' }>, value: JsonValue, effort: Effort): boolean {
  switch (test.kind) {
    case 'one-of':
      return test.values.some((expected) => expected === value);
    case 'matches':
      return typeof value !== 'object' && isMatch(test.pattern, String(value), effort);
    case 'within':
      return typeof value === 'string' && isWithin(value, test.folder);
    case 'greater-than':
      return typeof value === 'number' && value > test.bound;
    case 'less-than':
      return typeof value === 'number' && value < test.bound;
  }
}

function isMatch(pattern: RE2JS, text: string, effort: Effort): boolean {
  effort.spend(pattern, text);
  return pattern.test(text);
}

/** By its text alone: what symbolic links do is not known here. A relative path could be anywhere. */
function isWithin(path: string, folder: string): boolean {
  if (!path.startsWith('/') || path.includes('\0')) return false;
  const normal = posix.normalize(path);
  return folder === '/' || normal === folder || normal.startsWith(`${folder}/`);
}

/** The arguments (of a request) or the result with `changes` made. Throws where a path does not fit. */
export function applyChanges(exchange: Exchange, changes: readonly ArgumentChange[]): Exchange {
  const paths = changes.map(({ path }) => path);
  return withJudged(exchange, paths, (judged) => changedBy(changes, judged));
}

/**
 * The message with what paths count from made anew: the arguments of a request, or the result. Throws where a name on one of the `paths` is
 * spelled in a way that they would miss.
 */
export function withJudged(
  exchange: Exchange,
  paths: readonly JsonPath[],
  change: (judged: JsonValue) => JsonValue,
): Exchange {
  const { direction, method, params } = exchange;
  if (direction === 'result') return { ...exchange, result: change(exchange.result ?? null) };
  const judged = argumentsIn(exchange);
  for (const path of paths) valuesAt(judged, path, checkSpelling);
  const made = change(judged);
  if (!isObject(made)) throw new Error('arguments are a map');
  return { ...exchange, params: HAS_ARGUMENTS.has(method) ? { ...params, arguments: made } : made };
}

function changedBy(changes: readonly ArgumentChange[], root: JsonValue): JsonValue {
  return changes.reduce<JsonValue>(
    (made, { path, value }) => (value === undefined ? withoutValueAt(made, path) : withValueAt(made, path, value)),
    root,
  );
}

/** `tools/call of "write_file" on files`. */
export function describe(exchange: Exchange): string {
  const name = nameIn(exchange);
  const asked = name === undefined ? '' : ` of ${JSON.stringify(name.slice(0, LONGEST_NAME))}`;
  const what = exchange.direction === 'result' ? 'the result of ' : '';
  const who = exchange.direction === 'tool-request' ? 'by' : 'on';
  return `${what}${exchange.method.slice(0, LONGEST_NAME)}${asked} ${who} ${exchange.tool}`;
}

const LONGEST_NAME = 128;
