import * as z from 'zod/mini';
import { LONGEST_TEXT } from '../queue/limits.ts';

/** What the operator's side sends. */

const line = (most: number) => z.string().check(z.maxLength(most));

export const decisionRequest = z.strictObject({
  verdict: z.enum(['approved', 'modified', 'rejected', 'acknowledged']),
  shown: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  by: z.string().check(z.minLength(1), z.maxLength(200)),
  reason: z.optional(line(4096)),
  final: z.optional(line(LONGEST_TEXT)),
});

export const outcomeRequest = z.strictObject({
  result: z.enum(['applied', 'failed']),
  detail: line(16 * 1024),
  diff: line(2 * LONGEST_TEXT),
});

export const incidentRequest = z.strictObject({
  text: line(4096),
  daemon: line(200),
  cause: line(200),
  lines: z._default(z.array(line(16 * 1024)).check(z.maxLength(200)), []),
});
