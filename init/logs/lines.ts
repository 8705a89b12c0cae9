const NEWLINE = 10;

/** The number of lines in a block of whole lines. */
export function countLines(block: Buffer): number {
  let count = 0;
  for (let at = block.indexOf(NEWLINE); at !== -1; at = block.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

/** Cuts a block of whole lines into text, without line endings (`\n` or `\r\n`). What is not UTF-8 becomes U+FFFD. */
export function toText(block: Buffer): string[] {
  const lines = block.toString('utf8').split('\n');
  lines.pop();
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
}
