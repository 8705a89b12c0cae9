import type { Match } from './matcher.ts';

/** One stretch of bytes that must not be seen: overlapping matches are one, since what is left between two would tell a part. */
export interface Stretch {
  /** Name of the secret that begins it. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The stretches of `matches`, in order. */
export function stretchesOf(matches: readonly Match[]): readonly Stretch[] {
  const stretches: Stretch[] = [];
  for (const { name, start, end } of matches.toSorted((a, b) => a.start - b.start)) {
    const last = stretches.at(-1);
    if (last === undefined || start > last.end) stretches.push({ name, start, end });
    else stretches[stretches.length - 1] = { ...last, end: Math.max(last.end, end) };
  }
  return stretches;
}

/** The text with what `cover` gives in place of each stretch; the text itself where there is no match. The matches are offsets in its `encoding`. */
export function covered(
  text: string,
  find: (bytes: Buffer) => readonly Match[],
  cover: (stretch: Stretch) => string,
  encoding: 'utf8' | 'latin1' = 'utf8',
): string {
  const bytes = Buffer.from(text, encoding);
  const matches = find(bytes);
  if (matches.length === 0) return text;
  const pieces: string[] = [];
  let from = 0;
  for (const stretch of stretchesOf(matches)) {
    pieces.push(bytes.toString(encoding, from, stretch.start), cover(stretch));
    from = stretch.end;
  }
  pieces.push(bytes.toString(encoding, from));
  return pieces.join('');
}
