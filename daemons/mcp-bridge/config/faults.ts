import { didYouMean, type Path, quote } from '../../../config/problem.ts';
import { globMatcher } from '../policy/glob.ts';
import type { RuleEntry } from './rule-schema.ts';
import type { PolicyFile, ToolEntry } from './schema.ts';

type Fault = readonly [path: Path, message: string, hint?: string];

/** What the schema cannot say: rules about several keys together, and about several entries. */
export function* policyFaults({ spec }: PolicyFile): Generator<Fault> {
  const places = new Map<string, number>();
  for (const [index, entry] of spec.tools.entries()) {
    const path = ['spec', 'tools', index];
    const twin = places.get(entry.name);
    if (twin !== undefined)
      yield [[...path, 'name'], `${quote(entry.name)} is the name of spec.tools[${twin}] already`];
    places.set(entry.name, index);
    yield* toolFaults(entry, path);
  }
  const names = new Map<string, number>();
  for (const [index, entry] of (spec.rules ?? []).entries()) {
    const path = ['spec', 'rules', index];
    const twin = names.get(entry.name);
    if (twin !== undefined)
      yield [[...path, 'name'], `${quote(entry.name)} is the name of spec.rules[${twin}] already`];
    names.set(entry.name, index);
    yield* ruleFaults(entry, path);
  }
  const instructions = (spec.rules ?? []).flatMap(patternsOf).reduce((sum, pattern) => sum + pattern.programSize(), 0);
  if (instructions > MOST_INSTRUCTIONS) {
    yield [
      ['spec', 'rules'],
      `hold regular expressions of ${instructions} instructions in all, ${MOST_INSTRUCTIONS} are allowed`,
    ];
  }
}

/** One message may have to go through all of them. */
const MOST_INSTRUCTIONS = 20_000;

function patternsOf({ when, patterns = [] }: RuleEntry) {
  const tests = [...(when.arguments ?? []), ...(when.result ?? [])];
  return [...patterns, ...tests.flatMap(({ matches }) => (matches === undefined ? [] : [matches]))];
}

function* toolFaults(entry: ToolEntry, path: Path): Generator<Fault> {
  const { driver, image, command, args, network, limits } = entry;
  if (driver === 'local-docker') {
    if (image === undefined) yield [[...path, 'image'], 'is missing', 'name the image that the tool is in'];
    if (image?.startsWith('-')) yield [[...path, 'image'], 'begins with "-"'];
  } else {
    if (command === undefined)
      yield [[...path, 'command'], 'is missing', 'name the program that speaks MCP on its stdin and stdout'];
    if (network !== undefined) yield [[...path, 'network'], 'is only for driver local-docker'];
    if (limits.cpus !== undefined) yield [[...path, 'limits', 'cpus'], 'is only for driver local-docker'];
  }
  if (driver === 'local' && image !== undefined) {
    yield [[...path, 'image'], 'is not for driver local', 'for an image write driver: local-docker'];
  }
  if (driver === 'e2b') {
    for (const key of ['memory', 'pids'] as const) {
      if (limits[key] !== undefined)
        yield [[...path, 'limits', key], 'is set by the template of the sandbox, not here'];
    }
  }
  const words = [...(typeof command === 'string' ? [command] : (command ?? [])), ...(args ?? []), image ?? ''];
  if (words.some((word) => word.includes('${'))) {
    yield [
      [...path, command === undefined ? 'args' : 'command'],
      `holds a \${VAR}, and every user of the machine can read the arguments of a process`,
      'put secrets into environment',
    ];
  }
  if (words.some((word) => word.includes('\0'))) yield [[...path, 'command'], 'holds a NUL'];
}

function* ruleFaults(entry: RuleEntry, path: Path): Generator<Fault> {
  const { action, when } = entry;
  for (const [key, owner] of OWNERS) {
    if (action !== owner && entry[key] !== undefined) yield [[...path, key], `is only for action ${owner}`];
  }
  if (action === 'modify' && entry.set === undefined && entry.remove === undefined) {
    yield [path, 'changes nothing', 'give "set" or "remove"'];
  }
  if (action === 'redact' && entry.paths === undefined && entry.patterns === undefined) {
    yield [path, 'hides nothing', 'give "paths" or "patterns"; known secrets are hidden anyway, by spec.redact'];
  }
  for (const [index, { path: place }] of (entry.set ?? []).entries()) {
    if (!place.isSingular)
      yield [[...path, 'set', index, 'path'], `${quote(place.text)} can lead to more than one place`];
    if (place.segments.length === 0)
      yield [[...path, 'set', index, 'path'], 'is the whole; name what is to change in it'];
  }
  for (const [index, place] of (entry.remove ?? []).entries()) {
    if (!place.isSingular) yield [[...path, 'remove', index], `${quote(place.text)} can lead to more than one place`];
    if (place.segments.length === 0) yield [[...path, 'remove', index], 'is the whole; name what is to go'];
  }
  const directions = Array.isArray(when.direction) ? when.direction : [when.direction];
  if (when.result !== undefined && directions.some((direction) => direction !== 'result')) {
    yield [[...path, 'when', 'result'], 'is only for direction result'];
  }
}

const OWNERS = [
  ['set', 'modify'],
  ['remove', 'modify'],
  ['paths', 'redact'],
  ['patterns', 'redact'],
  ['timeout', 'ask'],
] as const;

/** What is allowed but hardly meant: the path of the key, and a sentence about it. */
export function* policyWarnings({ spec }: PolicyFile): Generator<readonly [Path, string]> {
  const names = spec.tools.map(({ name }) => name);
  for (const [index, { when }] of (spec.rules ?? []).entries()) {
    for (const [at, glob] of (when.tools ?? []).entries()) {
      if (names.some(globMatcher(glob))) continue;
      const near = didYouMean(glob, names);
      const path = ['spec', 'rules', index, 'when', 'tools', at];
      yield [
        path,
        `${quote(glob)} is no tool of this file, so only the interceptor's callers can name it${near === undefined ? '' : `; ${near}`}`,
      ];
    }
  }
}
