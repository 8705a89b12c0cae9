import { dirname, join } from 'node:path';
import * as z from 'zod/mini';
import { ownerOf, readOwnedFile } from './owned-file.ts';
import { KIND_OF_SOURCE, REPORT_KINDS, type Source } from './report.ts';

/** What a file of decisions says: what has become of one report. */
const decisionSchema = z.object({
  /** By this the operator knows it, e.g. `p-7kq2`. */
  id: z.string().check(z.regex(/^p-[a-z0-9]{1,32}$/)),
  kind: z.enum(REPORT_KINDS),
  source: z.string(),
  /** `reportHash` of what was reported; the file has its name by it. */
  shown: z.string(),
  /** `pending`: it waits for the operator. `expired` means no, as `rejected` does. */
  verdict: z.enum(['pending', 'approved', 'rejected', 'expired']),
  by: z.string(),
  reason: z.string(),
  /** When it was decided, or put before the operator. RFC 3339. */
  time: z.string(),
});

export type Decision = z.output<typeof decisionSchema>;

/** Undefined decision: there is none. Not ok: nothing that is found there can be believed; the reason ends a sentence. */
export type ReadDecision =
  | { readonly ok: true; readonly decision: Decision | undefined }
  | { readonly ok: false; readonly reason: string };

const LARGEST_DECISION = 64 * 1024;

/** The name of the file with the decision about a report. */
export function decisionName(hash: string): string {
  return `${hash}.json`;
}

/**
 * Reads what has become of the report with this hash. The directory is believed where nobody but its owner can write it or take its
 * place, and a file in it where it is that owner's and says itself that it is about this report of this daemon.
 */
export function readDecision(directory: string, source: Source, hash: string): ReadDecision {
  const owner = ownerOf(directory);
  if (!owner.ok) return fault(owner.isMissing ? 'supervise is not here' : `${directory} ${owner.reason}`);
  const above = ownerOf(dirname(directory));
  if (!above.ok) return fault(`${dirname(directory)} ${above.reason}`);
  if (above.uid !== owner.uid && above.uid !== 0) return fault(`${directory} stands in another user's directory`);
  const path = join(directory, decisionName(hash));
  const read = readOwnedFile(path, owner.uid, LARGEST_DECISION);
  if (read === undefined) return { ok: true, decision: undefined };
  if (!read.ok) return fault(`${path} ${read.reason}`);
  const decision = parseDecision(read.text);
  const isAbout = decision?.shown === hash && decision.source === source && decision.kind === KIND_OF_SOURCE[source];
  return isAbout ? { ok: true, decision } : fault(`${path} is not a decision about this`);
}

function parseDecision(text: string): Decision | undefined {
  try {
    const parsed = decisionSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

function fault(reason: string): ReadDecision {
  return { ok: false, reason };
}
