import * as z from 'zod/mini';
import { LONGEST_JUSTIFICATION } from '../queue/limits.ts';

/** What each daemon may report: nobody else's word counts for it. */
export const KIND_OF_SOURCE = {
  'git-gate': 'gitleaks-allow',
  egress: 'egress-token-allow',
  'mcp-bridge': 'tool-ask',
} as const;

export type Reporter = keyof typeof KIND_OF_SOURCE;

/** Whether a daemon of this name reports. */
export function isReporter(name: string): name is Reporter {
  return Object.hasOwn(KIND_OF_SOURCE, name);
}

/** What a daemon may report; the file holds nothing else. */
const reportSchema = z.strictObject({
  kind: z.enum(['gitleaks-allow', 'egress-token-allow', 'tool-ask']),
  facts: z
    .record(z.string().check(z.regex(/^[a-z][a-z0-9_-]{0,39}$/i)), z.string().check(z.maxLength(16 * 1024)))
    .check(z.refine((facts) => Object.keys(facts).length <= 32)),
  justification: z.string().check(z.maxLength(LONGEST_JUSTIFICATION)),
});

export type Report = z.output<typeof reportSchema>;

/** Reads the text of a report; undefined where it is none. */
export function parseReport(text: string): Report | undefined {
  try {
    const parsed = reportSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
