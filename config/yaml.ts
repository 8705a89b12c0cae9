import {
  type Alias,
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  type Scalar,
  type YAMLError,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import {
  type Entry,
  entriesOf,
  type ListNode,
  type MapNode,
  type Node,
  type ScalarNode,
  sizeOf,
  type YamlText,
} from './node.ts';
import { type Finding, quote } from './problem.ts';

/** Deepest nesting that is read; a bundle needs about ten. */
const MOST_NESTING = 64;
/** Most tokens that are read: those of well over a thousand daemons. */
const MOST_TOKENS = 250_000;
/** Most values that aliases may stand for altogether. */
const MOST_ALIASED = 100_000;
/** More faults than this tell nothing new. */
const MOST_FAULTS = 100;

/**
 * Reads one YAML 1.2 document (core schema), with anchors, aliases and merge keys (`<<`). Never throws. `findings` of a
 * readable text are duplicate and unusable keys: the tree holds the rest, so that everything else can be told as well.
 */
export function readAnyYaml(text: string): YamlText {
  const parsed = withoutStacks(() => compose(text));
  if (!parsed.ok) return parsed;
  return treeOf(parsed.contents, text);
}

/** Each fault of the library is an Error; half a million of them with their stacks, which nobody reads, take seconds. */
function withoutStacks<T>(run: () => T): T {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = before;
  }
}

type Composed =
  | { readonly ok: true; readonly contents: unknown }
  | { readonly ok: false; readonly findings: readonly Finding[] };

function compose(text: string): Composed {
  const parser = new Parser();
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
  });
  const faults: Finding[] = [];
  let contents: unknown = null;
  let documents = 0;
  const take = (made: ReturnType<typeof composer.next>): void => {
    for (const document of made) {
      documents += 1;
      if (documents === 1) contents = document.contents;
      for (const fault of [...document.errors, ...document.warnings]) {
        if (faults.length < MOST_FAULTS) faults.push(syntaxFault(fault, text));
      }
      if (documents === 2) faults.push(fault(document.range[0], 'a second document begins here: a file holds one'));
    }
  };
  let tokens = 0;
  for (const lexeme of new Lexer().lex(text)) {
    tokens += 1;
    if (tokens > MOST_TOKENS)
      return refused(parser.offset, `holds more than ${MOST_TOKENS} tokens, which no bundle needs`);
    for (const token of parser.next(lexeme)) take(composer.next(token));
    if (parser.stack.length > MOST_NESTING)
      return refused(parser.offset, `is nested more than ${MOST_NESTING} levels deep`);
    if (documents > 1) break;
  }
  for (const token of parser.end()) take(composer.next(token));
  take(composer.end());
  return faults.length === 0 ? { ok: true, contents } : { ok: false, findings: faults };
}

function refused(offset: number, message: string): Composed {
  return { ok: false, findings: [fault(offset, message)] };
}

function fault(offset: number, message: string, hint?: string): Finding {
  return { offset, path: '', message, hint };
}

/** The library's errors in the words of someone who writes a bundle file. */
function syntaxFault(error: YAMLError, text: string): Finding {
  const offset = Math.min(Math.max(error.pos[0], 0), text.length);
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return fault(offset, 'a tab cannot indent YAML', 'use spaces');
    case 'BAD_INDENT':
      return fault(offset, `the indentation is wrong: ${lowerFirst(error.message)}`);
    case 'BLOCK_AS_IMPLICIT_KEY':
      return fault(offset, 'a second ": " stands in one line', 'put a text that holds ": " in quotes');
    case 'MULTILINE_IMPLICIT_KEY':
      return fault(offset, 'this line is neither a key nor its value', 'write "key: value", and end each key with ":"');
    case 'BAD_SCALAR_START':
      return fault(offset, `a text without quotes cannot begin with ${quote(text.charAt(offset))}`, 'put it in quotes');
    case 'TAG_RESOLVE_FAILED':
      return fault(offset, `${lowerFirst(error.message)}`, 'a bundle file needs no tags');
    case 'RESOURCE_EXHAUSTION':
      return fault(offset, `is nested more than ${MOST_NESTING} levels deep`);
    default:
      return fault(offset, `is not valid YAML: ${lowerFirst(error.message)}`);
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function treeOf(contents: unknown, text: string): YamlText {
  const findings: Finding[] = [];
  /** The latest node of each anchor; `undefined` while that node is being built. */
  const anchors = new Map<string, Node | undefined>();
  let aliased = 0;
  let tooMuch: Finding | undefined;

  function find(offset: number, message: string, hint?: string): void {
    if (findings.length < MOST_FAULTS) findings.push(fault(offset, message, hint));
  }

  function build(node: unknown, offset: number): Node {
    if (isAlias(node)) return aliasOf(node);
    const anchor = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined;
    if (anchor !== undefined) anchors.set(anchor, undefined);
    const built = isMap(node) ? mapOf(node) : isSeq(node) ? listOf(node) : scalarOf(node, offset);
    if (anchor !== undefined) anchors.set(anchor, built);
    return built;
  }

  function aliasOf(alias: Alias): Node {
    const offset = alias.range?.[0] ?? 0;
    const target = anchors.get(alias.source);
    if (target === undefined) {
      const inside = anchors.has(alias.source);
      const name = quote(`*${alias.source}`);
      find(offset, `${name} ${inside ? 'stands inside its own anchor' : 'has no anchor of that name before it'}`);
      return { ...nothingAt(offset), text: `*${alias.source}` };
    }
    aliased += sizeOf(target);
    if (aliased <= MOST_ALIASED) return target;
    tooMuch ??= fault(offset, `the aliases stand for more than ${MOST_ALIASED} values`);
    return nothingAt(offset);
  }

  function listOf(list: YAMLSeq): ListNode {
    const offset = list.range?.[0] ?? 0;
    const items = list.items.map((item) => build(item, offset));
    return { kind: 'list', offset, items, size: items.reduce((sum, item) => sum + sizeOf(item), 1) };
  }

  function mapOf(map: YAMLMap): MapNode {
    const offset = map.range?.[0] ?? 0;
    const entries = new Map<string, Entry>();
    const merged: Node[] = [];
    for (const pair of map.items) {
      const key = keyOf(pair.key, offset);
      const value = build(pair.value, key?.offset ?? offset);
      if (key === undefined) continue;
      if (key.plain && key.text === '<<') {
        merged.push(...mapsToMerge(value, key.offset));
        continue;
      }
      const first = entries.get(key.text);
      if (first === undefined) entries.set(key.text, { key: key.text, keyOffset: key.offset, value });
      else if (findings.length < MOST_FAULTS) {
        find(key.offset, `${quote(key.text)} is written twice, first in line ${lineAt(text, first.keyOffset)}`);
      }
    }
    for (const source of merged) {
      for (const entry of entriesOf(source)) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    }
    const all = [...entries.values()];
    return { kind: 'map', offset, entries: all, size: all.reduce((sum, entry) => sum + sizeOf(entry.value), 1) };
  }

  function keyOf(node: unknown, offset: number): ScalarNode | undefined {
    const key = build(node, offset);
    if (key.kind !== 'scalar' || key.text === '' || key.text === '__proto__') {
      find(key.offset, 'this is not a key', 'write a plain word in front of the ":"');
      return undefined;
    }
    return key;
  }

  function mapsToMerge(value: Node, offset: number): readonly Node[] {
    const maps = value.kind === 'list' ? value.items : [value];
    if (maps.every((map) => map.kind === 'map')) return maps;
    find(offset, '"<<" merges maps only', 'write "<<: *anchor", the anchor on a map');
    return [];
  }

  const root = build(contents, 0);
  return tooMuch === undefined ? { ok: true, root, findings } : { ok: false, findings: [tooMuch] };
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

function nothingAt(offset: number): ScalarNode {
  return { kind: 'scalar', offset, value: null, text: '', plain: true };
}

function scalarOf(node: unknown, offset: number): ScalarNode {
  if (!isScalar(node)) return nothingAt(offset);
  if (node.value === null && (node.source ?? '') === '') return nothingAt(offset);
  const place = node.range?.[0] ?? offset;
  const plain = node.type === undefined || node.type === 'PLAIN';
  const value = valueIn(node);
  const text = typeof value === 'string' ? value : (node.source ?? String(value ?? ''));
  return { kind: 'scalar', offset: place, value, text, plain };
}

function valueIn({ value }: Scalar): ScalarNode['value'] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return null;
}
