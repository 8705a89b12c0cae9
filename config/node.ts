import type { Finding, Path } from './problem.ts';

/**
 * A value of a YAML file that knows its place. `offset` counts characters from the start of the text. Nodes are never
 * changed; an alias shares the node of its anchor, so the tree may be a graph, but never a cycle.
 */
export type Node = ScalarNode | MapNode | ListNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly offset: number;
  readonly value: string | number | boolean | null;
  /** The value as it is written, without quotes: `1.10` where `value` is 1.1. */
  readonly text: string;
  /** Written without quotes, so that YAML's rules decide on its type. */
  readonly plain: boolean;
  /** What stood there before variables were put in; undefined where there were none. */
  readonly template?: string;
}

export interface Entry {
  readonly key: string;
  readonly keyOffset: number;
  readonly value: Node;
}

export interface MapNode {
  readonly kind: 'map';
  readonly offset: number;
  /** In the order of the file; each key once. */
  readonly entries: readonly Entry[];
  /** How many nodes it stands for, aliases counted at every use. */
  readonly size: number;
}

export interface ListNode {
  readonly kind: 'list';
  readonly offset: number;
  readonly items: readonly Node[];
  readonly size: number;
}

/** What a YAML text holds: a tree without faults of syntax, or every fault found. */
export type YamlText =
  | { readonly ok: true; readonly root: Node; readonly findings: readonly Finding[] }
  | { readonly ok: false; readonly findings: readonly Finding[] };

export function sizeOf(node: Node): number {
  return node.kind === 'scalar' ? 1 : node.size;
}

/** The entry of `key` in a map; undefined where the node is no map or has none. */
export function entryOf(node: Node | undefined, key: string): Entry | undefined {
  return node?.kind === 'map' ? node.entries.find((entry) => entry.key === key) : undefined;
}

/** The value of `key` in a map. */
export function child(node: Node | undefined, key: string): Node | undefined {
  return entryOf(node, key)?.value;
}

/** The entries of a map; none where the node is no map. */
export function entriesOf(node: Node | undefined): readonly Entry[] {
  return node?.kind === 'map' ? node.entries : [];
}

/** A map with its own keys alone: those that begin with `x-` are its author's (Compose Specification, "Extension"). */
export function ownKeys(map: MapNode): MapNode {
  const isExtended = map.entries.some((entry) => entry.key.startsWith('x-'));
  return isExtended ? { ...map, entries: map.entries.filter((entry) => !entry.key.startsWith('x-')) } : map;
}

/** The node at the end of `path`; undefined where the file does not go so far. */
export function at(root: Node, path: Path): Node | undefined {
  return path.reduce<Node | undefined>(
    (node, part) =>
      typeof part === 'number' ? (node?.kind === 'list' ? node.items[part] : undefined) : child(node, part),
    root,
  );
}

/** Where the value of `path` stands; where it is missing, the key of the nearest map or list around it. */
export function placeOf(root: Node, path: Path): number {
  let node = root;
  let offset = root.offset;
  for (const part of path) {
    if (typeof part === 'number') {
      const item = node.kind === 'list' ? node.items[part] : undefined;
      if (item === undefined) return offset;
      node = item;
      offset = item.offset;
    } else {
      const entry = entryOf(node, part);
      if (entry === undefined) return offset;
      node = entry.value;
      offset = isEmpty(node) || node.kind !== 'scalar' ? entry.keyOffset : node.offset;
    }
  }
  return offset;
}

/** Where the last key of `path` is written. */
export function placeOfKey(root: Node, path: Path): number {
  const last = path.at(-1);
  const parent = at(root, path.slice(0, -1));
  const entry = typeof last === 'string' ? entryOf(parent, last) : undefined;
  return entry?.keyOffset ?? placeOf(root, path);
}

/** Nothing is written there: `restart:` and no value. */
function isEmpty(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null && node.text === '';
}

/**
 * The plain JavaScript value of a node. Scalars below the keys `asWritten` are taken as they are written: `VERSION: 1.10`
 * stays "1.10" there.
 */
export function toValue(node: Node, asWritten: ReadonlySet<string> = NO_KEYS, isText = false): unknown {
  if (node.kind === 'scalar') return isText && node.value !== null ? node.text : node.value;
  if (node.kind === 'list') return node.items.map((item) => toValue(item, asWritten, isText));
  const value: Record<string, unknown> = {};
  for (const { key, value: inner } of node.entries)
    value[key] = toValue(inner, asWritten, isText || asWritten.has(key));
  return value;
}

const NO_KEYS: ReadonlySet<string> = new Set();

/** Turns offsets of a text into lines and columns, both from 1. */
export function placesIn(text: string): (offset: number) => { readonly line: number; readonly column: number } {
  const starts = [0];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}
