/**
 * One line that is safe to print anywhere: the first line of `text` that says something, without control characters,
 * at most `limit` characters. For what daemons and their checks have written.
 */
export function sentence(text: string, limit: number): string {
  const line = text.split(/[\r\n]+/, LINES_LOOKED_AT).find((candidate) => plain(candidate) !== '') ?? '';
  const characters = [...plain(line.slice(0, limit * 4))];
  return characters.length <= limit ? characters.join('') : `${characters.slice(0, limit - 1).join('')}…`;
}

const LINES_LOOKED_AT = 20;

function plain(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .toWellFormed();
}
