import * as z from 'zod/mini';
import {
  type Decision,
  OPINION_RISKS,
  type Opinion,
  type Outcome,
  PROPOSAL_KINDS,
  PROPOSAL_STATUSES,
  type Proposal,
} from '../proposal.ts';

/** What the log's records say. Strict: a record of a newer version is refused, not half understood. */

const text = z.string();
const count = z.int().check(z.nonnegative());
const kind = z.enum(PROPOSAL_KINDS);
const facts = z.record(text, text);

const decision = z.strictObject({
  verdict: z.enum(['approved', 'modified', 'rejected', 'acknowledged']),
  by: text,
  reason: text,
  final: z.nullable(text),
  time: text,
});

const outcome = z.strictObject({ result: z.enum(['applied', 'failed']), detail: text, diff: text, time: text });

const opinion = z.strictObject({ risk: z.enum(OPINION_RISKS), reason: text, model: text, time: text });

const asked = {
  id: text,
  kind,
  source: text,
  justification: text,
  target: text,
  current: text,
  proposed: text,
  facts,
  shown: text,
  expires: z.nullable(text),
};

const proposal = z.strictObject({
  ...asked,
  status: z.enum(PROPOSAL_STATUSES),
  created: text,
  times: count,
  decision: z.nullable(decision),
  outcome: z.nullable(outcome),
  // Records of before there were opinions have none.
  opinion: z._default(z.nullable(opinion), null),
});

const entry = {
  /** SHA-256 (hex) of what the target held, unmasked: tells whether it has changed since. Empty for a report. */
  currentHash: text,
  /** How many tasks that stood for this proposal were cancelled. */
  cancelled: count,
  /** When it came to an end, RFC 3339; null while it has not. */
  ended: z.nullable(text),
};

const eventSchema = z.discriminatedUnion('type', [
  /** The first record of a file that follows another one. Records of type `carried` come behind it, as many as it says. */
  z.strictObject({
    type: z.literal('continued'),
    file: text,
    seq: count,
    hash: text,
    created: count,
    taken: z.array(text),
    lastIncident: z.optional(text),
    carried: count,
  }),
  z.strictObject({ type: z.literal('carried'), proposal, ...entry }),
  z.strictObject({ type: z.literal('proposed'), ...asked, currentHash: text, report: z.optional(text) }),
  z.strictObject({
    type: z.literal('repeated'),
    id: text,
    times: count,
    report: z.optional(text),
    /** Of an incident: when it happened again, RFC 3339. */
    time: z.optional(text),
  }),
  z.strictObject({ type: z.literal('decided'), id: text, shown: text, ...z.omit(decision, { time: true }).shape }),
  z.strictObject({ type: z.literal('outcome'), id: text, ...z.omit(outcome, { time: true }).shape }),
  /** Advice, which decides nothing. */
  z.strictObject({ type: z.literal('opinion'), id: text, ...z.omit(opinion, { time: true }).shape }),
  z.strictObject({ type: z.literal('expired'), id: text }),
  z.strictObject({ type: z.literal('stale'), id: text }),
  z.strictObject({ type: z.literal('task-cancelled'), id: text, cancelled: count }),
]);

/** What happened to the queue. */
export type QueueEvent = z.output<typeof eventSchema>;

/** The event of a record; undefined where it is none that this version knows. */
export function parseEvent(value: unknown): QueueEvent | undefined {
  const parsed = eventSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** Fails to compile where the records say something else than the operator's API. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
const agreement: [
  Same<z.output<typeof proposal>, Proposal>,
  Same<Decision, z.output<typeof decision>>,
  Same<Outcome, z.output<typeof outcome>>,
  Same<Opinion, z.output<typeof opinion>>,
] = [true, true, true, true];
void agreement;
