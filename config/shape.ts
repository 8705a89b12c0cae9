import * as z from 'zod/mini';
import { $ZodObject, $ZodRecord } from 'zod/v4/core';
import { typed } from './core-schema.ts';
import { at, type Node, placeOf, placeOfKey } from './node.ts';
import { didYouMean, type Finding, formatPath, type Path, quote, quoteAll } from './problem.ts';

type Issue = z.core.$ZodIssue;

/** What a schema says to a value: the decoded value, or every fault in the words of someone who writes YAML. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly findings: Iterable<Finding> };

/** What one kind of file knows beyond its schema, for better messages. */
export interface Words {
  /** What to say of a key that the schema does not know, where that is more than "is not a known key". */
  readonly unknownKey?: (path: Path, key: string) => Pick<Finding, 'message' | 'hint'> | undefined;
  /** Whether the value at this path may be a secret: such a value is never repeated in a message. */
  readonly isPrivate?: (path: Path) => boolean;
}

/** Checks `value`, which was made of `root`, against the schema, and finds the place of each fault. */
export function checkShape<S extends z.core.$ZodType>(
  schema: S,
  value: unknown,
  root: Node,
  words: Words = {},
): Checked<z.output<S>> {
  const decoded = z.safeParse(schema, value, { error: knownKeys });
  if (decoded.success) return { ok: true, value: decoded.data };
  const { issues } = decoded.error;
  const cast = castInterpolated(value, issues, root);
  if (cast !== undefined) return checkShape(schema, cast, root, words);
  return { ok: false, findings: findingsOfAll(issues, [], { root, words }) };
}

/** What every message about a value needs to know. */
interface Subject {
  readonly root: Node;
  readonly words: Words;
}

/**
 * The value with its quoted `"${PORT}"` as numbers and booleans where the schema did not want the text: what a variable
 * puts into a value is cast to the type that belongs there (Compose Specification, "Interpolation"). Undefined where
 * there is nothing to cast.
 */
function castInterpolated(value: unknown, issues: readonly Issue[], root: Node): unknown {
  let cast: unknown;
  for (const { path } of issues) {
    const keys = path.filter((part) => typeof part !== 'symbol');
    const node = at(root, keys);
    if (node?.kind !== 'scalar' || node.template === undefined || node.plain) continue;
    const better = typed(node.text);
    if (typeof better !== 'number' && typeof better !== 'boolean') continue;
    const copy = cast ?? structuredClone(value);
    if (replaceText(copy, keys, better)) cast = copy;
  }
  return cast;
}

/** Puts `better` at the end of `path`, unless no text stands there (any more). */
function replaceText(root: unknown, path: Path, better: number | boolean): boolean {
  let holder: unknown = root;
  for (const part of path.slice(0, -1)) holder = isHolder(holder) ? holder[part] : undefined;
  const last = path.at(-1);
  if (!isHolder(holder) || last === undefined || typeof holder[last] !== 'string') return false;
  holder[last] = better;
  return true;
}

function isHolder(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * zod forgets the schema of an issue once the issue is made, but lets an error map see it. So the message of an unknown
 * key holds the keys that are known there, and every other message is empty unless the schema gave one.
 */
function knownKeys(issue: z.core.$ZodRawIssue): string {
  if (issue.code !== 'unrecognized_keys') return '';
  if (issue.inst instanceof $ZodObject) return Object.keys(issue.inst._zod.def.shape).join(' ');
  if (issue.inst instanceof $ZodRecord) return [...(issue.inst._zod.def.keyType._zod.values ?? [])].join(' ');
  return '';
}

function* findingsOfAll(issues: readonly Issue[], prefix: Path, subject: Subject): Generator<Finding> {
  for (const issue of issues) {
    const path = [...prefix, ...issue.path.filter((part) => typeof part !== 'symbol')];
    if (issue.code === 'unrecognized_keys') {
      const known = issue.message.split(' ').filter((key) => key !== '');
      for (const key of issue.keys) yield unknownKey(key, known, path, subject);
    } else if (issue.code === 'invalid_key') {
      for (const inner of issue.issues) yield badKey(inner, path, subject);
    } else if (issue.code === 'invalid_union') yield* unionFindings(issue, path, subject);
    else yield { offset: placeOf(subject.root, path), path: formatPath(path), ...describe(issue, path, subject) };
  }
}

function unknownKey(key: string, known: readonly string[], path: Path, subject: Subject): Finding {
  const own = [...path, key];
  const place = { offset: placeOfKey(subject.root, own), path: formatPath(own) };
  const special = subject.words.unknownKey?.(path, key);
  if (special !== undefined) return { ...place, ...special };
  const listed = known.length === 0 ? undefined : `known are ${known.join(', ')}`;
  const hint = didYouMean(key, known) ?? listed;
  return { ...place, message: 'is not a known key', hint };
}

function badKey(inner: Issue, path: Path, subject: Subject): Finding {
  const key = String(path.at(-1));
  const { message, hint } = wordsFor(inner, quote(key), key);
  return { offset: placeOfKey(subject.root, path), path: formatPath(path), message, hint };
}

/** The faults of the branch that the author meant: the one whose kind of value is the one that is there. */
function* unionFindings(issue: z.core.$ZodIssueInvalidUnion, path: Path, subject: Subject): Generator<Finding> {
  const branches = issue.errors.filter((issues) => issues.length > 0);
  const meant = branches.find((issues) => issues.some((inner) => !isWrongKind(inner)));
  if (meant !== undefined) {
    yield* findingsOfAll(meant, path, subject);
    return;
  }
  const kinds = new Set(branches.flat().flatMap(kindsOf));
  const rule = issue.message || `is not ${[...kinds].join(' or ') || 'right here'}`;
  const message = `${show(path, subject)} ${rule}`;
  yield { offset: placeOf(subject.root, path), path: formatPath(path), message };
}

function isWrongKind(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return issue.errors.flat().every(isWrongKind);
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function kindsOf(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_type') return [KINDS[issue.expected] ?? issue.expected];
  if (issue.code === 'invalid_value') return [quoteAll(issue.values.map(String))];
  return issue.code === 'invalid_union' ? issue.errors.flat().flatMap(kindsOf) : [];
}

function describe(issue: Issue, path: Path, subject: Subject): Pick<Finding, 'message' | 'hint'> {
  const node = at(subject.root, path);
  if (node === undefined && issue.message === '') return { message: 'is missing' };
  const word = node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
  return wordsFor(issue, show(path, subject), word);
}

/** The message for an issue of one value: `shown` is how the value appears in it, `word` what to find a near word for. */
function wordsFor(issue: Issue, shown: string, word: string | undefined): Pick<Finding, 'message' | 'hint'> {
  const subject = shown === '' ? '' : `${shown} `;
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const hint = word === undefined ? undefined : didYouMean(word, values);
    return { message: `${subject}is not ${values.length > 1 ? 'one of ' : ''}${quoteAll(values)}`, hint };
  }
  if (issue.message !== '') {
    const known: unknown = issue.code === 'custom' ? issue.params?.known : undefined;
    const words = Array.isArray(known) ? known.filter((item) => typeof item === 'string') : [];
    const message = isScalar(shown) ? `${subject}${issue.message}` : issue.message;
    return { message, hint: word === undefined ? undefined : didYouMean(word, words) };
  }
  return { message: `${subject}${ruleOf(issue)}` };
}

/** A rule about a map or a list as a whole needs no subject: the path is it. */
function isScalar(shown: string): boolean {
  return shown !== A_MAP && shown !== A_LIST;
}

function ruleOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `is not ${KINDS[issue.expected] ?? issue.expected}`;
    case 'too_big':
      if (issue.origin === 'array') return `has more than ${issue.maximum} items`;
      return `is more than ${issue.maximum}`;
    case 'too_small':
      if (issue.origin === 'string') return 'is empty';
      if (issue.origin === 'array') return `has less than ${issue.minimum} items`;
      return issue.inclusive === false ? `is not more than ${issue.minimum}` : `is less than ${issue.minimum}`;
    case 'invalid_format':
      return issue.format === 'starts_with' && 'prefix' in issue
        ? `does not begin with ${quote(String(issue.prefix))}`
        : 'has not the right form';
    default:
      return 'is not right here';
  }
}

const A_MAP = 'a map';
const A_LIST = 'a list';

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of keys',
  null: 'empty',
};

/** How a value appears in a message. Nothing of a private one, and of one with variables only what the file holds. */
function show(path: Path, subject: Subject): string {
  const node = at(subject.root, path);
  if (node === undefined) return '';
  if (node.kind !== 'scalar') return node.kind === 'map' ? A_MAP : A_LIST;
  if (subject.words.isPrivate?.(path) === true) return 'this value';
  if (node.template !== undefined) return `the value of ${quote(node.template)}`;
  if (node.value === null) return 'an empty value';
  return typeof node.value === 'string' ? quote(node.value) : node.text;
}
