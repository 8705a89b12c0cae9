/** Control characters but for tab and newline, characters that reorder or hide text, line separators, and lone surrogates. */
const UNPRINTABLE = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** What others wrote, made fit for a terminal and for the log: nothing in it moves a cursor, hides a word or turns its order round. */
export function printableText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNPRINTABLE, escaped);
}

/** Where the first character stands that {@link printableText} would write in another way, for a person; undefined where there is none. */
export function unprintablePlace(text: string): string | undefined {
  const match = [...text.matchAll(UNPRINTABLE)][0];
  if (match === undefined) return undefined;
  const before = text.slice(0, match.index).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${escaped(match[0])} is not taken: it is a character that cannot be seen`;
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/** Bytes of a text in UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text);
}
