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

/** Lines that are told of letters beyond ASCII. */
const MOST_LINES_TOLD = 5;

/**
 * Where letters stand that may only look like others (a Cyrillic "a" in the name of a host), for a person: a line each, the first few. Not in
 * lines that `current` has as well.
 */
export function lookalikePlaces(text: string, current: string): readonly string[] {
  const known = new Set(current.split('\n'));
  return text
    .split('\n')
    .flatMap((line, at) => {
      const letters = known.has(line) ? [] : [...new Set(line.match(/[^\p{ASCII}]/gu))];
      const told = letters.map(
        (letter) => `${letter} (U+${codeOf(letter).toString(16).toUpperCase().padStart(4, '0')})`,
      );
      return letters.length === 0
        ? []
        : [`line ${at + 1} holds letters that may only look like others: ${told.join(', ').slice(0, 200)}`];
    })
    .slice(0, MOST_LINES_TOLD);
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function escaped(character: string): string {
  const code = codeOf(character);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/** Bytes of a text in UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text);
}
