/** The words of a command line, or why there are none. */
export type Words =
  | { readonly ok: true; readonly words: readonly string[] }
  | { readonly ok: false; readonly message: string };

/**
 * Splits a command line into words by the quoting rules of the POSIX shell (XCU 2.2): blanks, `'…'`, `"…"`, `\\`.
 * Nothing is expanded. As Compose does with a `command` that is one string.
 */
export function splitWords(line: string): Words {
  const words: string[] = [];
  let word = '';
  let started = false;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line.charAt(i);
    if (quote === "'") {
      if (c === "'") quote = '';
      else word += c;
    } else if (c === '\\' && (quote === '' || '\\"$`\n'.includes(line.charAt(i + 1)))) {
      i += 1;
      if (i >= line.length) return { ok: false, message: 'ends in a lone backslash' };
      if (line.charAt(i) !== '\n') word += line.charAt(i);
      started = true;
    } else if (quote === '"') {
      if (c === '"') quote = '';
      else word += c;
    } else if (c === "'" || c === '"') {
      quote = c;
      started = true;
    } else if (c === ' ' || c === '\t' || c === '\n') {
      if (started) words.push(word);
      word = '';
      started = false;
    } else {
      word += c;
      started = true;
    }
  }
  if (quote !== '') return { ok: false, message: `has an opening ${quote} without a closing one` };
  if (started) words.push(word);
  return { ok: true, words };
}
