import * as z from 'zod/mini';
import { $ZodObject, $ZodRecord } from 'zod/v4/core';
import { foreignKeyHint } from './compose-keys.ts';
import { typed } from './core-schema.ts';
import { RESERVED_SIGNALS } from './names.ts';
import { at, type Node, placeOf, placeOfKey } from './node.ts';
import { didYouMean, type Finding, formatPath, type Path, quote, quoteAll } from './problem.ts';
import { bundleSchema } from './schema.ts';

type Issue = z.core.$ZodIssue;

/** What the schema says to a value: the bundle, or every fault in the words of someone who writes YAML. */
export type Checked =
  | { readonly ok: true; readonly bundle: z.output<typeof bundleSchema> }
  | { readonly ok: false; readonly findings: Iterable<Finding> };

/** Checks `value`, which was made of `root`, against the schema, and finds the place of each fault. */
export function checkShape(value: unknown, root: Node): Checked {
  const decoded = z.safeParse(bundleSchema, value, { error: knownKeys });
  if (decoded.success) return { ok: true, bundle: decoded.data };
  const { issues } = decoded.error;
  const cast = castInterpolated(value, issues, root);
  return cast === undefined ? { ok: false, findings: findingsOfAll(issues, [], root) } : checkShape(cast, root);
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

function* findingsOfAll(issues: readonly Issue[], prefix: Path, root: Node): Generator<Finding> {
  for (const issue of issues) {
    const path = [...prefix, ...issue.path.filter((part) => typeof part !== 'symbol')];
    if (issue.code === 'unrecognized_keys') {
      const known = issue.message.split(' ').filter((key) => key !== '');
      for (const key of issue.keys) yield unknownKey(key, known, path, root);
    } else if (issue.code === 'invalid_key') {
      for (const inner of issue.issues) yield badKey(inner, path, root);
    } else if (issue.code === 'invalid_union') yield* unionFindings(issue, path, root);
    else yield { offset: placeOf(root, path), path: formatPath(path), ...describe(issue, path, root) };
  }
}

function unknownKey(key: string, known: readonly string[], path: Path, root: Node): Finding {
  const own = [...path, key];
  const place = { offset: placeOfKey(root, own), path: formatPath(own) };
  const reserved = path.length === 1 && path[0] === 'signals' ? RESERVED_SIGNALS[key] : undefined;
  if (reserved !== undefined) return { ...place, message: `cannot be given another meaning: ${reserved}` };
  const listed = known.length === 0 ? undefined : `known are ${known.join(', ')}`;
  const hint = foreignKeyHint(key, path.length) ?? didYouMean(key, known) ?? listed;
  return { ...place, message: 'is not a known key', hint };
}

function badKey(inner: Issue, path: Path, root: Node): Finding {
  const key = String(path.at(-1));
  const { message, hint } = wordsFor(inner, quote(key), key);
  return { offset: placeOfKey(root, path), path: formatPath(path), message, hint };
}

/** The faults of the branch that the author meant: the one whose kind of value is the one that is there. */
function* unionFindings(issue: z.core.$ZodIssueInvalidUnion, path: Path, root: Node): Generator<Finding> {
  const branches = issue.errors.filter((issues) => issues.length > 0);
  const meant = branches.find((issues) => issues.some((inner) => !isWrongKind(inner)));
  if (meant !== undefined) {
    yield* findingsOfAll(meant, path, root);
    return;
  }
  const kinds = new Set(branches.flat().flatMap(kindsOf));
  const message = `${show(path, root)} is not ${[...kinds].join(' or ') || 'right here'}`;
  yield { offset: placeOf(root, path), path: formatPath(path), message };
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

function describe(issue: Issue, path: Path, root: Node): Pick<Finding, 'message' | 'hint'> {
  const node = at(root, path);
  if (node === undefined && issue.message === '') return { message: 'is missing' };
  const word = node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
  return wordsFor(issue, show(path, root), word);
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
      return `is more than ${issue.maximum}`;
    case 'too_small':
      if (issue.origin === 'string') return 'is empty';
      return `is less than ${issue.minimum}`;
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

/** Keys whose values may be secrets: what stands below them is never repeated in a message. */
const PRIVATE = new Set<string | number>(['environment', 'headers', 'labels']);

/** How a value appears in a message. Nothing of a private one, and of one with variables only what the file holds. */
function show(path: Path, root: Node): string {
  const node = at(root, path);
  if (node === undefined) return '';
  if (node.kind !== 'scalar') return node.kind === 'map' ? A_MAP : A_LIST;
  if (path[0] === 'secrets' || path.some((part) => PRIVATE.has(part))) return 'this value';
  if (node.template !== undefined) return `the value of ${quote(node.template)}`;
  if (node.value === null) return 'an empty value';
  return typeof node.value === 'string' ? quote(node.value) : node.text;
}
