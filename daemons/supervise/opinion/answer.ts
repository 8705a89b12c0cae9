import * as z from 'zod/mini';
import { OPINION_RISKS, type Opinion } from '../proposal.ts';

/** Characters of a reason that are kept. */
const LONGEST_REASON = 500;
/** A model that says more than this did not do what it was asked. */
const LONGEST_ANSWER = 4_000;

const answerSchema = z.strictObject({
  risk: z.enum(OPINION_RISKS),
  reason: z.string().check(z.minLength(1)),
});

/** An answer that is exactly what was asked for, its reason in one line; undefined for every other one. */
export function opinionOf(answer: string): Pick<Opinion, 'risk' | 'reason'> | undefined {
  if (answer.length > LONGEST_ANSWER) return undefined;
  try {
    const parsed = answerSchema.safeParse(JSON.parse(answer));
    if (!parsed.success) return undefined;
    const { risk, reason } = parsed.data;
    const line = reason.replaceAll(/\s+/g, ' ').trim();
    if (line === '') return undefined;
    return { risk, reason: line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON - 1)}…` : line };
  } catch {
    return undefined;
  }
}
