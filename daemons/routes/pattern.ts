import { RE2JS } from 're2js';

/** Longest regular expression of a route, in characters. */
export const LONGEST_PATTERN = 512;
/**
 * Largest compiled expression, in instructions of RE2. Time is linear in the text times this, so that one path of 8 KiB takes at
 * most about 70 ms. A repetition such as `{0,400}` costs 800.
 */
export const LARGEST_PROGRAM = 1000;

/** A compiled regular expression, or what is wrong with it as the end of a sentence. */
export type CompiledPattern =
  | { readonly ok: true; readonly pattern: RE2JS }
  | { readonly ok: false; readonly fault: string };

/**
 * Compiles a regular expression in RE2's syntax. Its matching takes time linear in the text, whatever the expression; so there are
 * no back-references and no look-around.
 */
export function compilePattern(text: string): CompiledPattern {
  if (text === '') return { ok: false, fault: 'is empty' };
  if (text.length > LONGEST_PATTERN) return { ok: false, fault: `is longer than ${LONGEST_PATTERN} characters` };
  try {
    const pattern = RE2JS.compile(text);
    const size = pattern.programSize();
    if (size <= LARGEST_PROGRAM) return { ok: true, pattern };
    return {
      ok: false,
      fault: `repeats too much: it compiles to ${size} instructions, ${LARGEST_PROGRAM} are allowed`,
    };
  } catch (error) {
    const cause =
      error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'it cannot be compiled';
    return { ok: false, fault: `is not a regular expression of RE2: ${cause.replaceAll('`', '"')}` };
  }
}

/** Whether the whole text matches. */
export function matchesWhole(pattern: RE2JS, text: string): boolean {
  return pattern.testExact(text);
}
