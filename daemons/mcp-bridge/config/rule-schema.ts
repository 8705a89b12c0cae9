import type { RE2JS } from 're2js';
import * as z from 'zod/mini';
import { duration, exactlyOne, key, refuse, rule } from '../../../config/values.ts';
import { compilePattern } from '../../routes/pattern.ts';
import { type JsonPath, parsePath } from '../policy/json-path.ts';

/** The shape of one rule of `polis-policy.yaml`. */

/** A list that is not empty, of at most `most` items. */
export function listOf<T extends z.core.$ZodType>(item: T, most: number) {
  return z.array(item).check(
    rule<z.core.output<T>[]>((list) => list.length > 0, 'is an empty list; leave the key out'),
    rule<z.core.output<T>[]>((list) => list.length <= most, `holds more than ${most} entries`),
  );
}

const globs = listOf(z.string().check(z.minLength(1), z.maxLength(256)), 64);

const pattern = z.codec(z.string(), z.custom<RE2JS>(), {
  decode: (written, payload) => {
    const compiled = compilePattern(written);
    return compiled.ok ? compiled.pattern : refuse(payload, compiled.fault);
  },
  encode: (compiled) => compiled.pattern(),
});

const path = z.codec(z.string().check(z.maxLength(256)), z.custom<JsonPath>(), {
  decode: (written, payload) => {
    const parsed = parsePath(written);
    return parsed.ok ? parsed.path : refuse(payload, parsed.fault);
  },
  encode: (parsed) => parsed.text,
});

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const valueTest = z
  .strictObject({
    path: key(
      path,
      'Which values: a JSON path ($, .name, [0], [*], ..name), counted from the arguments of a call, or from the result.',
    ),
    exists: key(z.optional(z.boolean()), 'true: something stands there; false: nothing does.'),
    equals: key(z.optional(scalar), 'The value is this.'),
    in: key(z.optional(listOf(scalar, 256)), 'The value is one of these.'),
    matches: key(
      z.optional(pattern),
      'A regular expression (RE2) that matches somewhere in the value; ^ and $ tie it to the ends.',
    ),
    within: key(
      z.optional(z.string().check(z.startsWith('/'))),
      'The value is an absolute path in this folder, with "." and ".." taken out. What symbolic links do is not looked at.',
    ),
    greater_than: key(z.optional(z.number()), 'The value is a number greater than this.'),
    less_than: key(z.optional(z.number()), 'The value is a number less than this.'),
  })
  .check(exactlyOne('exists', 'equals', 'in', 'matches', 'within', 'greater_than', 'less_than'));

const when = z.strictObject({
  direction: key(
    z._default(
      z.union([
        z.enum(['request', 'tool-request', 'result']),
        listOf(z.enum(['request', 'tool-request', 'result']), 3),
      ]),
      'request',
    ),
    'request: from client to tool. tool-request: from tool to client (sampling, elicitation, roots). result: what a tool answers. Or a list.',
  ),
  tools: key(z.optional(globs), 'Names of tools of this file; "*" stands for any characters.'),
  methods: key(
    z.optional(globs),
    'Methods of MCP, as tools/call or sampling/*. Without: every method but those that only open, list or go on (initialize, ping, …/list, notifications).',
  ),
  names: key(
    z.optional(globs),
    'What is asked for: the name in tools/call and prompts/get, the uri in resources/read.',
  ),
  agents: key(z.optional(globs), 'Names of agents, as they call themselves (X-Agent-ID).'),
  sessions: key(z.optional(globs), 'Names of sessions.'),
  arguments: key(z.optional(listOf(valueTest, 32)), 'Tests of the arguments; all must hold.'),
  result: key(z.optional(listOf(valueTest, 32)), 'Tests of the result, for direction result; all must hold.'),
});

const change = z.strictObject({
  path: key(path, 'One place: names and indices only.'),
  value: key(
    z.unknown().check(rule<unknown>((value) => value !== undefined, 'is missing')),
    'What is to stand there: any value.',
  ),
});

export const policyRule = z.strictObject({
  name: key(z.string().check(z.minLength(1), z.maxLength(128)), 'For messages and the log; each once.'),
  when: key(
    z._default(when, { direction: 'request' }),
    'The conditions; all must hold. Without any the rule always matches.',
  ),
  action: key(
    z.enum(['allow', 'block', 'redact', 'modify', 'ask']),
    'allow and block; redact: hide parts, then pass; modify: change arguments, then pass; ask: a person decides.',
  ),
  reason: key(
    z.optional(z.string().check(z.minLength(1), z.maxLength(512))),
    'Told to who is refused, and to the log.',
  ),
  set: key(
    z.optional(listOf(change, 32)),
    'For modify: values to put into the arguments (for direction result: into the result).',
  ),
  remove: key(z.optional(listOf(path, 32)), 'For modify: places to take out.'),
  paths: key(
    z.optional(listOf(path, 32)),
    'For redact: places whose values are hidden, in the arguments or in the result.',
  ),
  patterns: key(
    z.optional(listOf(pattern, 32)),
    'For redact: regular expressions (RE2) whose matches are hidden in every text, and in whole numbers of eight digits and more.',
  ),
  timeout: key(z.optional(duration), 'For ask: how long a person has. Then the answer is no. Default 30s.'),
});

export type RuleEntry = z.output<typeof policyRule>;
export type ValueTestEntry = z.output<typeof valueTest>;
