/** `text` with its control characters made visible, colours (SGR sequences) excepted. */
export function visible(text: string): string {
  return text.replace(CONTROL, (match) =>
    match.length > 1 ? match : `\\x${match.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const CONTROL = /\x1b\[[\d;:]*m|[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;
