import type { Scanner, SecretFinding } from '../scanner/finding.ts';

/** What a text is after its secrets were taken out; or why that cannot be told. */
export type Masked =
  | { readonly ok: true; readonly text: string; readonly findings: readonly SecretFinding[] }
  | { readonly ok: false; readonly reason: string };

/** What stands in place of a secret. */
export const STARS = '********';

/**
 * Puts stars in place of each line that holds what looks like a secret, and of the whole text where that does not do: a key can go
 * over many lines, and an encoded secret can stand anywhere.
 */
export async function maskSecrets(scanner: Scanner, text: string): Promise<Masked> {
  const first = await scanner.scan(Buffer.from(text));
  if (!first.ok) return first;
  if (first.findings.length === 0) return { ok: true, text, findings: [] };
  const { findings } = first;
  const withSecret = new Set(findings.map(({ line }) => line));
  const lines = text.split('\n').map((line, at) => (withSecret.has(at + 1) ? STARS : line));
  const masked = lines.join('\n');
  const goesOn = findings.some(({ rule }) => /private-?key/i.test(rule));
  const second = goesOn || first.unlisted > 0 ? undefined : await scanner.scan(Buffer.from(masked));
  const isClean = second?.ok === true && second.findings.length === 0;
  return { ok: true, text: isClean ? masked : STARS, findings };
}

/** `line 3: GitHub token`, for each finding that is worth a word. */
export function tellFindings(findings: readonly SecretFinding[]): string {
  const told = findings.slice(0, 5).map(({ line, what }) => `line ${line}: ${what}`);
  const more = findings.length - told.length;
  return more > 0 ? `${told.join('; ')}; and ${more} more` : told.join('; ');
}
