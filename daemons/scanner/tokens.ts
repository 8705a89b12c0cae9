import type { Collector } from './collector.ts';
import type { Layer } from './layer.ts';
import { isVaried } from './plausible.ts';
import { createPrefilter, type Keyword } from './prefilter.ts';
import { TOKEN_RULES, type TokenRule } from './rules.ts';
import { SECRETLINT_RULES, type SecretlintRule } from './secretlint.ts';

/** A stretch of a layer in which a secret is known already, so that it is told once and by the rule that knows it best. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

type Candidate = { readonly token: TokenRule } | { readonly secretlint: SecretlintRule };

const prefilter = createPrefilter<Candidate>([
  ...TOKEN_RULES.flatMap((token) => token.starts.map((word): Keyword<Candidate> => ({ word, for: { token } }))),
  ...SECRETLINT_RULES.flatMap((secretlint) =>
    (secretlint.keywords ?? []).map((word): Keyword<Candidate> => ({ word, for: { secretlint } })),
  ),
]);

const ALWAYS = SECRETLINT_RULES.filter(({ keywords }) => keywords === undefined);

/** Looks for kinds of tokens: our own rules where their keywords stand, secretlint's on the whole text if theirs occur. */
export async function findTokens(layer: Layer, known: readonly Stretch[], collector: Collector): Promise<void> {
  const { bytes } = layer;
  const isKnown = withinOneOf(known);
  const rules = new Set(ALWAYS);
  const found: Stretch[] = [];
  let text: string | undefined;

  prefilter(bytes, (start, candidate) => {
    if (collector.isFull) return;
    if ('secretlint' in candidate) {
      rules.add(candidate.secretlint);
      return;
    }
    // One character for each byte, so that a token stands out in whatever surrounds it.
    text ??= bytes.toString('latin1');
    const match = matchAt(candidate.token, text, start);
    if (match === undefined) return;
    const isWithinLast = match.end <= (found.at(-1)?.end ?? 0);
    if (isWithinLast || isKnown(match)) return;
    found.push(match);
    collector.add(layer, { rule: candidate.token.id, what: candidate.token.what, secret: match.secret, offset: start });
  });

  const isFound = withinOneOf(found);
  for (const rule of rules) {
    if (collector.isFull) return;
    text ??= bytes.toString('latin1');
    await rule.run(text, (hit) => {
      const stretch = { start: hit.offset, end: hit.offset + hit.secret.length };
      if (isVaried(hit.secret) && !isKnown(stretch) && !isFound(stretch)) collector.add(layer, hit);
    });
  }
}

/** The match of a rule that begins at `start`, if there is one. */
function matchAt(
  { pattern, isPlausible = isVaried, normalize }: TokenRule,
  text: string,
  start: number,
): (Stretch & { readonly secret: string }) | undefined {
  pattern.lastIndex = start;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const secret = match[1] ?? match[0];
  if (!isPlausible(secret)) return undefined;
  return { start, end: start + match[0].length, secret: normalize?.(secret) ?? secret };
}

/** Tells whether a stretch lies within one of `stretches`: one that only overlaps may be another secret. */
function withinOneOf(stretches: readonly Stretch[]): (stretch: Stretch) => boolean {
  if (stretches.length === 0) return () => false;
  // Of those that begin before a place, the one that reaches furthest.
  const sorted = stretches.toSorted((a, b) => a.start - b.start);
  const reaches: number[] = [];
  for (const { end } of sorted) reaches.push(Math.max(end, reaches.at(-1) ?? 0));
  return ({ start, end }) => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle]?.start ?? 0) <= start) low = middle + 1;
      else high = middle;
    }
    return low > 0 && end <= (reaches[low - 1] ?? 0);
  };
}
