import { Document, isMap, isScalar, isSeq, visit } from 'yaml';

/** A value to be written as YAML, with a reason above each part that needs one. */
export interface Commented {
  /** Above all else; empty: nothing. */
  readonly header: string;
  /** Maps, lists, texts, numbers and booleans. A key without a value is left out. */
  readonly value: object;
  /** The place (keys and indexes) and what is said above it. A place that is not there is an error: the reason would be lost. */
  readonly comments: readonly Comment[];
}

export type Comment = readonly [place: readonly (string | number)[], text: string];

/** Columns, without indentation. */
const WIDTH = 110;

/** Keys whose numbers are modes of files, which people read in octal. */
const MODES: ReadonlySet<unknown> = new Set(['mode', 'defaultMode']);

/** Breaks of lines to readers of YAML 1.1 (NEL, LS, PS, CR), and what a file may not hold as it is (YAML 1.2, "5.1. Character Set"). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that have to be escaped.
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/;

/**
 * The same bytes for the same value. No long text is folded, nothing becomes an anchor. Texts are quoted for readers of YAML 1.1 and 1.2,
 * since engines are either: "no", "on", "0755" or "0o17" without quotes would be something else to them.
 */
export function yamlText({ header, value, comments }: Commented): string {
  const document = new Document(value, { aliasDuplicateObjects: false, schema: 'yaml-1.1', compat: 'core' });
  visit(document, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value === 'string' && UNPRINTABLE.test(scalar.value)) scalar.type = 'QUOTE_DOUBLE';
    },
    Pair: (_, { key, value: mode }) => {
      if (isScalar(key) && MODES.has(key.value) && isScalar(mode) && typeof mode.value === 'number')
        mode.format = 'OCT';
    },
  });
  if (header !== '') document.commentBefore = commentLines(header);
  for (const [place, text] of comments) commentOn(document, place, text);
  return document.toString({ lineWidth: 0 }).replaceAll(new RegExp(UNPRINTABLE, 'g'), escapeOf);
}

/** Within double quotes (YAML 1.2, "5.7. Escaped Characters"). */
function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function commentOn(document: Document, place: readonly (string | number)[], text: string): void {
  const parent = place.length === 1 ? document.contents : document.getIn(place.slice(0, -1), true);
  const last = place.at(-1);
  const items: readonly unknown[] = isMap(parent) || isSeq(parent) ? parent.items : [];
  const target = isMap(parent)
    ? parent.items.map((pair) => pair.key).find((key) => isScalar(key) && key.value === last)
    : items[Number(last)];
  if (target === undefined || !isCommentable(target))
    throw new RangeError(`nothing to comment on at ${place.join('.')}`);
  target.commentBefore = commentLines(text);
}

function isCommentable(node: unknown): node is { commentBefore?: string | null } {
  return isScalar(node) || isMap(node) || isSeq(node);
}

/** Broken between words, each line with the space that follows "#". */
function commentLines(text: string): string {
  return text
    .split('\n')
    .flatMap(wrapped)
    .map((line) => (line === '' ? '' : ` ${line}`))
    .join('\n');
}

/** A line that is indented is a command, and stays whole. */
function wrapped(line: string): readonly string[] {
  if (line.startsWith(' ')) return [line];
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ')) {
    if (current !== '' && current.length + 1 + word.length > WIDTH) {
      lines.push(current);
      current = word;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  return [...lines, current];
}
