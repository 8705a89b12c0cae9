import { typed } from '../../config/core-schema.ts';
import { type Entry, type Node, type ScalarNode, sizeOf } from '../../config/node.ts';
import { type Finding, formatPath, type Path, quote } from '../../config/problem.ts';

/** Variables that a text may name. */
export type Variables = Readonly<Record<string, string | undefined>>;

export type Interpolated =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly hint?: string };

/**
 * Puts variables into a text by the rules of the Compose Specification ("Interpolation"): `$VAR`, `${VAR}`,
 * `${VAR:-default}`, `${VAR-default}`, `${VAR:?error}`, `${VAR?error}`, `${VAR:+replacement}`, `${VAR+replacement}`, each
 * default, error and replacement interpolated in turn, and `$$` for one `$`. A variable that is not set is empty.
 */
export function interpolate(text: string, variables: Variables): Interpolated {
  if (!text.includes('$')) return { ok: true, text };
  const read = expand(text, 0, variables, false, 0);
  return read.ok ? { ok: true, text: read.text } : read;
}

type Read =
  | { readonly ok: true; readonly text: string; readonly end: number }
  | { readonly ok: false; readonly message: string; readonly hint?: string };

/** In a part that is not used no variable is looked up: it must be well formed, that is all. */
const UNUSED: Variables = {};

const UNCLOSED: Read = { ok: false, message: `has "\${" without its "}"` };

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /:?[-?+]/y;
const MOST_NESTING = 32;

/** Reads from `start` to the end, or, within braces, to the `}` that closes them. */
function expand(text: string, start: number, variables: Variables, within: boolean, depth: number): Read {
  if (depth > MOST_NESTING) return { ok: false, message: `nests variables more than ${MOST_NESTING} deep` };
  let done = '';
  let i = start;
  while (i < text.length) {
    const next = text.charAt(i);
    if (within && next === '}') return { ok: true, text: done, end: i };
    if (next !== '$') {
      done += next;
      i += 1;
      continue;
    }
    const variable = readVariable(text, i, variables, depth);
    if (!variable.ok) return variable;
    done += variable.text;
    i = variable.end;
  }
  return within ? UNCLOSED : { ok: true, text: done, end: i };
}

/** Reads what begins with the `$` at `start`. */
function readVariable(text: string, start: number, variables: Variables, depth: number): Read {
  if (text.charAt(start + 1) === '$') return { ok: true, text: '$', end: start + 2 };
  const braced = text.charAt(start + 1) === '{';
  const name = match(NAME, text, start + (braced ? 2 : 1));
  if (name === undefined) {
    const shown = quote(text.slice(start, start + 2));
    const hint = 'write $$ for a "$" that is meant as one';
    return { ok: false, message: `has no name of a variable at ${shown}`, hint };
  }
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (!braced) return { ok: true, text: value ?? '', end: start + 1 + name.length };
  const afterName = start + 2 + name.length;
  if (text.charAt(afterName) === '}') return { ok: true, text: value ?? '', end: afterName + 1 };
  const operator = match(OPERATOR, text, afterName);
  if (operator === undefined) {
    if (afterName >= text.length) return UNCLOSED;
    const hint = `write \${${name}}, or one of :- - :? ? :+ + after the name`;
    return { ok: false, message: `has ${quote(text.charAt(afterName))} after \${${name}`, hint };
  }
  const isGiven = value !== undefined && !(operator.startsWith(':') && value === '');
  return applyOperator({ text, name, value, operator, isGiven, from: afterName + operator.length, variables, depth });
}

function applyOperator(use: {
  readonly text: string;
  readonly name: string;
  readonly value: string | undefined;
  readonly operator: string;
  readonly isGiven: boolean;
  readonly from: number;
  readonly variables: Variables;
  readonly depth: number;
}): Read {
  const kind = use.operator.at(-1);
  const isUsed = use.variables !== UNUSED && (kind === '+' ? use.isGiven : !use.isGiven);
  const rest = expand(use.text, use.from, isUsed ? use.variables : UNUSED, true, use.depth + 1);
  if (!rest.ok) return rest;
  const end = rest.end + 1;
  if (kind === '?' && isUsed) {
    const why = rest.text === '' ? 'and has no default' : `: ${rest.text}`;
    const state = use.value === undefined ? 'is not set' : 'is empty';
    const message = `the variable ${use.name} ${state}${rest.text === '' ? ` ${why}` : why}`;
    return { ok: false, message, hint: `set ${use.name} in the environment of bottled` };
  }
  if (isUsed) return { ok: true, text: rest.text, end };
  return { ok: true, text: kind === '+' ? '' : (use.value ?? ''), end };
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/**
 * The tree with variables put into every text value; keys stay as they are. A value without quotes gets its type from
 * what then stands there, by the rules of YAML's core schema, so that `retries: ${N:-3}` is a number.
 */
export function interpolateTree(root: Node, variables: Variables, findings: Finding[]): Node {
  /** An aliased node is expanded once and stays shared. */
  const done = new Map<Node, Node>();

  function visit(node: Node, path: Path): Node {
    if (node.kind === 'scalar') return scalar(node, path);
    const known = done.get(node);
    if (known !== undefined) return known;
    const made = node.kind === 'list' ? list(node.items, node, path) : map(node.entries, node, path);
    done.set(node, made);
    return made;
  }

  function scalar(node: ScalarNode, path: Path): Node {
    if (typeof node.value !== 'string' || !node.value.includes('$')) return node;
    const read = interpolate(node.value, variables);
    if (!read.ok) {
      findings.push({ offset: node.offset, path: formatPath(path), message: read.message, hint: read.hint });
      return { ...node, template: node.value };
    }
    // A variable that is empty leaves an empty text, as in Compose; null would ask for the init's own variable.
    const value = node.plain && read.text !== '' ? typed(read.text) : read.text;
    return { ...node, value, text: read.text, template: node.value };
  }

  function list(items: readonly Node[], node: Node, path: Path): Node {
    const made = items.map((item, index) => visit(item, [...path, index]));
    return { kind: 'list', offset: node.offset, items: made, size: sizeOf(node) };
  }

  function map(entries: readonly Entry[], node: Node, path: Path): Node {
    const made = entries.map((entry) => ({ ...entry, value: visit(entry.value, [...path, entry.key]) }));
    return { kind: 'map', offset: node.offset, entries: made, size: sizeOf(node) };
  }

  return visit(root, []);
}
