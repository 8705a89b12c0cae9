import type { Scanner, SecretFinding } from '../scanner/finding.ts';

/** What a text is after its secrets were taken out; or why that cannot be told. */
export type Masked =
  | { readonly ok: true; readonly text: string; readonly findings: readonly SecretFinding[] }
  | { readonly ok: false; readonly reason: string };

/** What stands in place of a secret. */
export const STARS = '********';

/** Texts of more lines are not looked at line by line. */
const MOST_LINES = 200;

/**
 * Puts stars in place of each line that holds what looks like a secret, and of the whole text where that does not do: a key can go
 * over many lines, and an encoded secret can stand anywhere.
 */
export async function maskSecrets(scanner: Scanner, text: string): Promise<Masked> {
  const first = await scanner.scan(Buffer.from(text));
  if (!first.ok) return first;
  const { findings } = first;
  if (findings.length === 0) return { ok: true, text, findings };
  const goesOn = findings.some(({ rule }) => /private-?key/i.test(rule));
  if (goesOn || first.unlisted > 0) return { ok: true, text: STARS, findings };
  const withSecret = new Set(findings.map(({ line }) => line));
  const lines = text.split('\n').map((line, at) => (withSecret.has(at + 1) ? STARS : line));
  if (await isClean(scanner, lines.join('\n'))) return { ok: true, text: lines.join('\n'), findings };
  // The same secret again is no finding of its own: a daemon that crashes in a loop says it each time.
  const masked = lines.length > MOST_LINES ? STARS : await maskedEach(scanner, lines);
  return { ok: true, text: (await isClean(scanner, masked)) ? masked : STARS, findings };
}

async function maskedEach(scanner: Scanner, lines: readonly string[]): Promise<string> {
  const masked: string[] = [];
  for (const line of lines) masked.push((await isClean(scanner, line)) ? line : STARS);
  return masked.join('\n');
}

async function isClean(scanner: Scanner, text: string): Promise<boolean> {
  const result = await scanner.scan(Buffer.from(text));
  return result.ok && result.findings.length === 0 && result.unlisted === 0;
}

/** `line 3: GitHub token`, for each finding that is worth a word. */
export function tellFindings(findings: readonly SecretFinding[]): string {
  const told = findings.slice(0, 5).map(({ line, what }) => `line ${line}: ${what}`);
  const more = findings.length - told.length;
  return more > 0 ? `${told.join('; ')}; and ${more} more` : told.join('; ');
}
