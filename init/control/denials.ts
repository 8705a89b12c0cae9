import { DENIALS, type Denial } from './admission.ts';

/** Counts requests that were not let in, and tells of them now and then. */
export interface Denials {
  add(denial: Denial, from: string): void;
  counts(): Readonly<Record<Denial, number>>;
}

/** Somebody who knocks without end must not fill the log, in ms. */
const TELL_AFTER = 60_000;

export function countDenials(tell: (text: string) => void, now: () => number = Date.now): Denials {
  const counts: Record<Denial, number> = { unauthenticated: 0, 'not-permitted': 0, 'too-many-requests': 0 };
  let toldAt = Number.NEGATIVE_INFINITY;
  let told = 0;
  return {
    add(denial, from) {
      counts[denial] += 1;
      if (now() - toldAt < TELL_AFTER) return;
      const all = DENIALS.reduce((sum, kind) => sum + counts[kind], 0);
      const more = all - told > 1 ? ` (${all - told} since the last line of this kind)` : '';
      tell(
        `the control API has not let in a request from ${from}: ${denial}${more}; more within a minute are only counted`,
      );
      toldAt = now();
      told = all;
    },
    counts: () => ({ ...counts }),
  };
}
