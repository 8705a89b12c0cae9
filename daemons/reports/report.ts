import { hash } from 'node:crypto';
import * as z from 'zod/mini';

/** What each daemon may report: nobody else's word counts for it. */
export const KIND_OF_SOURCE = {
  'git-gate': 'gitleaks-allow',
  egress: 'egress-token-allow',
  'mcp-bridge': 'tool-ask',
} as const;

export type Source = keyof typeof KIND_OF_SOURCE;

export const REPORT_KINDS = ['gitleaks-allow', 'egress-token-allow', 'tool-ask'] as const;

export type ReportKind = (typeof REPORT_KINDS)[number];

/** Whether a daemon of this name reports. */
export function isSource(name: string): name is Source {
  return Object.hasOwn(KIND_OF_SOURCE, name);
}

/** Characters of one fact, and of the justification. */
export const LONGEST_FACT = 16 * 1024;
export const LONGEST_JUSTIFICATION = 4 * 1024;
/** Bytes of the file of a report. */
export const LARGEST_REPORT = 64 * 1024;

/** The fact in which supervise keeps {@link reportHash} where it took something out of a report: no daemon gives it. */
export const REPORTED = 'reported';

/** What a daemon may report; the file holds nothing else. */
const reportSchema = z.strictObject({
  kind: z.enum(REPORT_KINDS),
  /** What happened, in named fields: who decides sees exactly these, and the decision is about exactly these. */
  facts: z
    .record(z.string().check(z.regex(/^[a-z][a-z0-9_-]{0,39}$/i)), z.string().check(z.maxLength(LONGEST_FACT)))
    .check(z.refine((facts) => Object.keys(facts).length <= 32 && !Object.hasOwn(facts, REPORTED))),
  /** What is said beside, and decides nothing. */
  justification: z.string().check(z.maxLength(LONGEST_JUSTIFICATION)),
  /** RFC 3339: nobody waits for an answer any more. Absent: an answer helps whenever it comes. */
  until: z.optional(z.iso.datetime()),
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

/** SHA-256 (hex) over kind and facts as the daemon wrote them: the decision about a report is found by it. */
export function reportHash({ kind, facts }: Pick<Report, 'kind' | 'facts'>): string {
  const pairs = Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : 1));
  return hash('sha256', JSON.stringify([kind, '', '', '', pairs]), 'hex');
}
