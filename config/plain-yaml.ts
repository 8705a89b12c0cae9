import { typed } from './core-schema.ts';
import { type Entry, type ListNode, type MapNode, type Node, type ScalarNode, sizeOf } from './node.ts';

/**
 * Reads YAML as bundle files are mostly written: block maps and lists, flow ones on one line, texts on one line. For
 * anything else, and for every fault, the answer is `undefined`, and the full parser has the word. It exists because PID 1
 * reads its file at each start, and this is ten times as fast; what it reads, it reads exactly as the full parser does.
 */
export function readPlainYaml(text: string): Node | undefined {
  if (UNUSUAL.test(text)) return undefined;
  /** The place of the reader; between two entries, the first character of the next line that says something. */
  let at = 0;
  /** How far that line is indented; -1 at the end of the text. */
  let indent = 0;
  let depth = 0;

  toNextLine();
  const root = indent === 0 ? block(0) : undefined;
  return indent === -1 ? root : undefined;

  /** From the start of a line over blank lines and comments. */
  function toNextLine(): void {
    for (;;) {
      const start = at;
      at = after(SPACES, at);
      if (at >= text.length) {
        indent = -1;
        return;
      }
      const c = text.charCodeAt(at);
      if (c !== NEWLINE && c !== HASH) {
        indent = at - start;
        return;
      }
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end + 1;
    }
  }

  /** Over the rest of a line, which must be blank or a comment, to the next; false where something else stands there. */
  function finishLine(): boolean {
    const end = after(TO_LINE_END, at);
    if (end === at && at < text.length) return false;
    at = end;
    toNextLine();
    return true;
  }

  function block(column: number): Node | undefined {
    if (depth >= DEEPEST) return undefined;
    depth += 1;
    const node = isDash() ? list(column) : map(column);
    depth -= 1;
    return node;
  }

  /** The map whose keys stand at `column`; the first of them is where the reader is. */
  function map(column: number): MapNode | undefined {
    const offset = at;
    const entries: Entry[] = [];
    const keys = new Set<string>();
    do {
      const keyOffset = at;
      const key = readKey();
      if (key === undefined || keys.has(key)) return undefined;
      keys.add(key);
      const value = valueOfKey(column, keyOffset);
      if (value === undefined || indent > column) return undefined;
      entries.push({ key, keyOffset, value });
    } while (indent === column && !isDash());
    return { kind: 'map', offset, entries, size: entries.reduce((sum, entry) => sum + sizeOf(entry.value), 1) };
  }

  /** A key with its colon and the spaces behind it. */
  function readKey(): string | undefined {
    const key = matched(KEY)?.[0] ?? matched(SINGLE)?.[1] ?? matched(DOUBLE)?.[1];
    if (key === undefined || key === '' || key === '__proto__' || key.length > LONGEST_KEY) return undefined;
    if (text.charCodeAt(at) !== COLON) return undefined;
    at += 1;
    const next = text.charCodeAt(at);
    if (next !== SPACE && next !== NEWLINE && at < text.length) return undefined;
    at = after(SPACES, at);
    return key;
  }

  function valueOfKey(column: number, keyOffset: number): Node | undefined {
    if (!isLineOver()) return lineValue(column);
    if (!finishLine()) return undefined;
    if (indent > column) return block(indent);
    return indent === column && isDash() ? list(column) : nothingAt(keyOffset);
  }

  /** The list whose dashes stand at `column`; the first of them is where the reader is. */
  function list(column: number): ListNode | undefined {
    const offset = at;
    const items: Node[] = [];
    do {
      at = after(SPACES, at + 1);
      const item = listItem(column, offset);
      if (item === undefined || indent > column) return undefined;
      items.push(item);
    } while (indent === column && isDash());
    return { kind: 'list', offset, items, size: items.reduce((sum, item) => sum + sizeOf(item), 1) };
  }

  function listItem(column: number, listOffset: number): Node | undefined {
    if (isLineOver()) {
      if (!finishLine()) return undefined;
      return indent > column ? block(indent) : nothingAt(listOffset);
    }
    if (isDash()) return undefined;
    const start = at;
    const isMap = readKey() !== undefined;
    at = start;
    return isMap ? block(start - lineStart(start)) : lineValue(column);
  }

  /** A value that ends with its line; what follows belongs to someone else. */
  function lineValue(column: number): Node | undefined {
    const value = inline(BLOCK_TEXT);
    return value !== undefined && finishLine() && indent <= column ? value : undefined;
  }

  /** A text, a number and the like, or a flow collection. */
  function inline(plain: RegExp): Node | undefined {
    switch (text.charCodeAt(at)) {
      case BRACKET:
        return flow(flowList);
      case BRACE:
        return flow(flowMap);
      case QUOTE:
      case DOUBLE_QUOTE:
        return quoted();
      default:
        return unquoted(plain);
    }
  }

  function quoted(): ScalarNode | undefined {
    const offset = at;
    const value = (matched(SINGLE) ?? matched(DOUBLE))?.[1];
    if (value === undefined || text.charCodeAt(at) === QUOTE) return undefined;
    return { kind: 'scalar', offset, value, text: value, plain: false };
  }

  function unquoted(pattern: RegExp): ScalarNode | undefined {
    const offset = at;
    const rest = matched(pattern)?.[0];
    if (rest === undefined) return undefined;
    const comment = rest.indexOf(' #');
    const written = (comment < 0 ? rest : rest.slice(0, comment)).trimEnd();
    if (written.includes(': ') || written.endsWith(':')) return undefined;
    at = offset + written.length;
    return { kind: 'scalar', offset, value: typed(written), text: written, plain: true };
  }

  function flow(read: () => Node | undefined): Node | undefined {
    if (depth >= DEEPEST) return undefined;
    depth += 1;
    const node = read();
    depth -= 1;
    return node;
  }

  function flowList(): ListNode | undefined {
    const offset = at;
    const items: Node[] = [];
    const isRead = flowParts(CLOSING_BRACKET, () => {
      const item = inline(FLOW_TEXT);
      if (item !== undefined) items.push(item);
      return item !== undefined;
    });
    if (!isRead) return undefined;
    return { kind: 'list', offset, items, size: items.reduce((sum, item) => sum + sizeOf(item), 1) };
  }

  function flowMap(): MapNode | undefined {
    const offset = at;
    const entries: Entry[] = [];
    const keys = new Set<string>();
    const isRead = flowParts(CLOSING_BRACE, () => {
      const keyOffset = at;
      const key = readKey();
      if (key === undefined || keys.has(key)) return false;
      keys.add(key);
      const value = inline(FLOW_TEXT);
      if (value !== undefined) entries.push({ key, keyOffset, value });
      return value !== undefined;
    });
    if (!isRead) return undefined;
    return { kind: 'map', offset, entries, size: entries.reduce((sum, entry) => sum + sizeOf(entry.value), 1) };
  }

  /** What stands between the brackets, part by part, to behind the closing one. */
  function flowParts(closing: number, part: () => boolean): boolean {
    at = after(SPACES, at + 1);
    if (text.charCodeAt(at) === closing) {
      at += 1;
      return true;
    }
    for (;;) {
      if (!part()) return false;
      at = after(SPACES, at);
      const c = text.charCodeAt(at);
      if (c !== COMMA && c !== closing) return false;
      at += 1;
      if (c === closing) return true;
      at = after(SPACES, at);
    }
  }

  function isDash(): boolean {
    if (text.charCodeAt(at) !== DASH) return false;
    const next = text.charCodeAt(at + 1);
    return next === SPACE || next === NEWLINE || at + 1 >= text.length;
  }

  function isLineOver(): boolean {
    const c = text.charCodeAt(at);
    return c === NEWLINE || c === HASH || at >= text.length;
  }

  function lineStart(offset: number): number {
    return text.lastIndexOf('\n', offset - 1) + 1;
  }

  function matched(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at += match[0].length;
    return match;
  }

  function after(pattern: RegExp, offset: number): number {
    pattern.lastIndex = offset;
    return offset + (pattern.exec(text)?.[0].length ?? 0);
  }
}

function nothingAt(offset: number): ScalarNode {
  return { kind: 'scalar', offset, value: null, text: '', plain: true };
}

const NEWLINE = 10;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const HASH = 35;
const QUOTE = 39;
const COMMA = 44;
const DASH = 45;
const COLON = 58;
const BRACKET = 91;
const CLOSING_BRACKET = 93;
const BRACE = 123;
const CLOSING_BRACE = 125;
const LONGEST_KEY = 128;

/** Tabs, other line ends and control characters, and what is outside the basic plane. */
const UNUSUAL = /[^\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe]/;
const KEY = /[A-Za-z0-9_][A-Za-z0-9_./-]*/y;
const SINGLE = /'([^'\n]*)'/y;
const DOUBLE = /"([^"\\\n]*)"/y;
const BLOCK_TEXT = /(?:[A-Za-z0-9_./$~+^;()=<\\]|-[A-Za-z0-9_./-])[^\n]*/y;
const FLOW_TEXT = /(?:[A-Za-z0-9_./$~+^;()=<\\]|-[A-Za-z0-9_./-])[^\n,[\]{}]*/y;
const SPACES = / */y;
const TO_LINE_END = /(?: +#[^\n]*| *)(?:\n|$)/y;
const DEEPEST = 32;
