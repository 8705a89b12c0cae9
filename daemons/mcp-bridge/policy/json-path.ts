import { isList, isObject, type JsonObject, type JsonValue } from './json.ts';

/**
 * A subset of JSONPath (RFC 9535): the root `$`, names (`.name`, `['name']`), indices (`[0]`, `[-1]`), all children (`.*`, `[*]`) and
 * descendants (`..name`, `..*`, `..[0]`). Without filters, slices and functions: what values have to look like is for a rule's tests to say.
 */
export interface JsonPath {
  /** As it was written. */
  readonly text: string;
  readonly segments: readonly Segment[];
  /** It leads to one place at most: names and indices only. */
  readonly isSingular: boolean;
}

interface Segment {
  /** Looked for at every depth below, not only among the children. */
  readonly deep: boolean;
  /** A name, an index (from the end where negative), or all children. */
  readonly pick: string | number | typeof ALL;
}

const ALL = Symbol('*');

export type ParsedPath =
  | { readonly ok: true; readonly path: JsonPath }
  | { readonly ok: false; readonly fault: string };

const MOST_SEGMENTS = 32;

const SHORTHAND = /^(\.\.?)([\p{L}_][\p{L}\p{N}_-]*|\*)/u;
const BRACKETS = /^(\.\.)?\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d{1,9})|(\*))\s*\]/;

/** Reads a path. The fault continues the value. */
export function parsePath(text: string): ParsedPath {
  if (!text.startsWith('$'))
    return { ok: false, fault: 'is not a JSON path; write "$.name", "$.list[0]" or "$..name"' };
  const segments: Segment[] = [];
  let rest = text.slice(1);
  while (rest !== '') {
    const read = readSegment(rest);
    if (read === undefined || segments.length === MOST_SEGMENTS) {
      return { ok: false, fault: `is not a JSON path of the subset that is known here, at ${JSON.stringify(rest)}` };
    }
    segments.push(read.segment);
    rest = rest.slice(read.length);
  }
  const isSingular = segments.every(({ deep, pick }) => !deep && pick !== ALL);
  return { ok: true, path: { text, segments, isSingular } };
}

function readSegment(rest: string): { readonly segment: Segment; readonly length: number } | undefined {
  const plain = SHORTHAND.exec(rest);
  if (plain !== null) {
    const [{ length }, dots, name = ''] = plain;
    return { segment: { deep: dots === '..', pick: name === '*' ? ALL : name }, length };
  }
  const match = BRACKETS.exec(rest);
  if (match === null) return undefined;
  const [{ length }, dots, single, double, index, all] = match;
  const quoted = single ?? double;
  const pick = all !== undefined ? ALL : index !== undefined ? Number(index) : (quoted ?? '').replace(/\\(.)/g, '$1');
  return { segment: { deep: dots === '..', pick }, length };
}

/** What one walk may look at. A value with more parts cannot be judged. */
const MOST_VISITED = 200_000;

/**
 * The values at the end of `path`. `onName` is called with each value in which a name is looked for. Throws where the value is too large to be
 * looked through.
 */
export function valuesAt(
  root: JsonValue | undefined,
  path: JsonPath,
  onName: (holder: JsonValue, name: string) => void = () => undefined,
): readonly JsonValue[] {
  if (root === undefined) return [];
  let visited = 0;
  const look = (): void => {
    visited += 1;
    if (visited > MOST_VISITED) throw new Error(`${path.text} goes through more than ${MOST_VISITED} values`);
  };
  let found: readonly JsonValue[] = [root];
  for (const { deep, pick } of path.segments) {
    const holders = deep ? withDescendants(found, look) : found;
    const next: JsonValue[] = [];
    for (const holder of holders) {
      if (typeof pick === 'string') onName(holder, pick);
      for (const value of childrenAt(holder, pick)) {
        look();
        next.push(value);
      }
    }
    found = next;
  }
  return found;
}

function withDescendants(values: readonly JsonValue[], look: () => void): readonly JsonValue[] {
  const all = [...values];
  for (let i = 0; i < all.length; i++) {
    for (const value of childrenAt(all[i] ?? null, ALL)) {
      look();
      if (typeof value === 'object' && value !== null) all.push(value);
    }
  }
  return all;
}

function childrenAt(holder: JsonValue, pick: Segment['pick']): readonly JsonValue[] {
  if (pick === ALL) return isList(holder) ? holder : isObject(holder) ? Object.values(holder) : [];
  const value = childAt(holder, pick);
  return value === undefined ? [] : [value];
}

function childAt(holder: JsonValue, pick: string | number): JsonValue | undefined {
  if (typeof pick === 'number') return isList(holder) ? holder.at(pick) : undefined;
  return isObject(holder) && Object.hasOwn(holder, pick) ? holder[pick] : undefined;
}

/** A copy in which `value` stands at the end of a singular path; maps on the way are made. Throws where a list or a scalar is in the way. */
export function withValueAt(root: JsonValue, path: JsonPath, value: JsonValue): JsonValue {
  return changed(root, path, 0, () => value);
}

/** A copy without what stands at the end of a singular path; `root` itself where nothing stands there. */
export function withoutValueAt(root: JsonValue, path: JsonPath): JsonValue {
  return valuesAt(root, path).length === 0 ? root : changed(root, path, 0, () => undefined);
}

/** A copy in which `change` was applied to every value at the end of the path. Throws where the value is nested too deep. */
export function withValuesChanged(root: JsonValue, path: JsonPath, change: (value: JsonValue) => JsonValue): JsonValue {
  const walk = (value: JsonValue, depth: number): JsonValue => {
    const segment = path.segments[depth];
    if (segment === undefined) return change(value);
    const { deep, pick } = segment;
    const below = deep ? withChildren(value, ALL, (child) => walk(child, depth)) : value;
    return withChildren(below, pick, (child) => walk(child, depth + 1));
  };
  return walk(root, 0);
}

function withChildren(holder: JsonValue, pick: Segment['pick'], change: (child: JsonValue) => JsonValue): JsonValue {
  if (isList(holder)) {
    const index = typeof pick === 'number' && pick < 0 ? holder.length + pick : pick;
    return holder.map((item, at) => (index === ALL || index === at ? change(item) : item));
  }
  if (!isObject(holder)) return holder;
  return Object.fromEntries(
    Object.entries(holder).map(([key, item]) => [key, pick === ALL || pick === key ? change(item) : item]),
  );
}

type Change = (value: JsonValue) => JsonValue | undefined;

function changed(holder: JsonValue | undefined, path: JsonPath, depth: number, change: Change): JsonValue {
  const segment = path.segments[depth];
  if (segment === undefined) return change(holder ?? null) ?? null;
  const isLast = depth === path.segments.length - 1;
  const { pick } = segment;
  const inner = (value: JsonValue | undefined): JsonValue | undefined =>
    isLast ? change(value ?? null) : changed(value, path, depth + 1, change);
  if (typeof pick === 'number' && isList(holder)) {
    const index = pick < 0 ? holder.length + pick : pick;
    if (index < 0 || index >= holder.length) throw new Error(`${path.text}: the list has no item ${pick}`);
    const made = inner(holder[index]);
    return made === undefined ? holder.toSpliced(index, 1) : holder.with(index, made);
  }
  if (typeof pick === 'string' && (holder === undefined || isObject(holder))) {
    const map: JsonObject = holder ?? {};
    const made = inner(Object.hasOwn(map, pick) ? map[pick] : undefined);
    const others = Object.fromEntries(Object.entries(map).filter(([key]) => key !== pick));
    return made === undefined ? others : { ...others, [pick]: made };
  }
  throw new Error(`${path.text} does not lead through what is there`);
}
