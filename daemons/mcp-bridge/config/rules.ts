import { anyGlob } from '../policy/glob.ts';
import { type JsonValue, parseJson } from '../policy/json.ts';
import type { Action, Rule, Rules, Test, ValueTest } from '../policy/judge.ts';
import type { RuleEntry, ValueTestEntry } from './rule-schema.ts';
import type { PolicyFile } from './schema.ts';

/** How long a person has for an answer where the rule does not say. */
const ASK_MS = 30_000;

/** The rules of a file that has no fault. */
export function rulesOf({ spec }: PolicyFile): Rules {
  const { mode, default: fallback } = spec.governance;
  const request = fallback ?? (mode === 'audit' || spec.rules === undefined ? 'allow' : 'block');
  const toolRequest = fallback ?? (mode === 'audit' ? 'allow' : 'block');
  return {
    mode,
    otherwise: { request, 'tool-request': toolRequest, result: 'allow' },
    rules: (spec.rules ?? []).map(ruleOf),
  };
}

function ruleOf(entry: RuleEntry): Rule {
  const { when } = entry;
  const named = (globs: readonly string[] | undefined) => (globs === undefined ? undefined : anyGlob(globs));
  return {
    name: entry.name,
    directions: typeof when.direction === 'string' ? [when.direction] : when.direction,
    tools: named(when.tools),
    methods: named(when.methods),
    names: named(when.names),
    agents: named(when.agents),
    sessions: named(when.sessions),
    arguments: (when.arguments ?? []).map(valueTestOf),
    result: (when.result ?? []).map(valueTestOf),
    action: actionOf(entry),
    reason: entry.reason ?? `the rule says ${entry.action}`,
  };
}

function actionOf({ action, set = [], remove = [], paths = [], patterns = [], timeout = ASK_MS }: RuleEntry): Action {
  switch (action) {
    case 'allow':
    case 'block':
      return { kind: action };
    case 'ask':
      return { kind: 'ask', timeout };
    case 'redact':
      return { kind: 'redact', redaction: { paths, patterns } };
    case 'modify':
      return {
        kind: 'modify',
        changes: [
          ...remove.map((path) => ({ path, value: undefined })),
          ...set.map(({ path, value }) => ({ path, value: jsonOf(value) })),
        ],
      };
  }
}

/** What YAML gives is JSON but for its type. */
function jsonOf(value: unknown): JsonValue {
  return parseJson(JSON.stringify(value)) ?? null;
}

function valueTestOf(entry: ValueTestEntry): ValueTest {
  return { path: entry.path, test: testOf(entry) };
}

/** The schema has seen to it that there is exactly one. */
function testOf(entry: ValueTestEntry): Test {
  if (entry.exists !== undefined) return { kind: 'exists', expected: entry.exists };
  if (entry.equals !== undefined) return { kind: 'one-of', values: [entry.equals] };
  if (entry.matches !== undefined) return { kind: 'matches', pattern: entry.matches };
  if (entry.within !== undefined) return { kind: 'within', folder: withoutLastSlash(entry.within) };
  if (entry.greater_than !== undefined) return { kind: 'greater-than', bound: entry.greater_than };
  if (entry.less_than !== undefined) return { kind: 'less-than', bound: entry.less_than };
  return { kind: 'one-of', values: entry.in ?? [] };
}

function withoutLastSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
