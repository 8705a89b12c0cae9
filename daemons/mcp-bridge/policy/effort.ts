import type { RE2JS } from 're2js';

/** Counts what matching costs, so that one message cannot keep the bridge from all others. */
export interface Effort {
  /** Throws where matching `text` would take too long altogether. */
  spend(pattern: RE2JS, text: string): void;
}

/** RE2 takes time linear in instructions times characters, at most about 10 ns for each: a second for one message. */
const MOST_STEPS = 100_000_000;

export function createEffort(): Effort {
  let spent = 0;
  return {
    spend(pattern, text) {
      spent += pattern.programSize() * text.length;
      if (spent > MOST_STEPS) throw new Error('it is too large for the regular expressions of the rules');
    },
  };
}
