/** What others wrote, made fit for one line of a terminal or a log: nothing in it moves a cursor or hides a word. */
export function printable(text: string, most = 300): string {
  const plain = text.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
  return plain.length > most ? `${plain.slice(0, most - 1)}…` : plain;
}

/** Control and format characters (bidirectional overrides, zero width ones), line separators, and lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
