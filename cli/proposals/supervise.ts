import * as z from 'zod/mini';
import type { Result } from '../../daemons/approval/apply.ts';
import {
  type DecisionRequest,
  OPINION_RISKS,
  PROPOSAL_KINDS,
  PROPOSAL_STATUSES,
  type Proposal,
} from '../../daemons/supervise/proposal.ts';
import { type Answer, clientAt, refused } from '../client.ts';
import { EXIT } from '../exit-codes.ts';
import { Failure } from '../failure.ts';

/** supervise's API for operators. Every failure is a `Failure` with its exit code. */
export interface Supervise {
  /** All that it still holds, oldest first. */
  list(): Promise<readonly Proposal[]>;
  /** The one whose id this is, or begins like this, with or without `p-`. */
  find(id: string): Promise<Proposal>;
  decide(id: string, decision: DecisionRequest): Promise<Proposal>;
  report(id: string, result: Result): Promise<Proposal>;
  /** Each proposal when it changes; first `undefined`, as soon as no change is missed any more. Ends when supervise does. */
  changes(): AsyncIterable<Proposal | undefined>;
}

const decision = z.object({
  verdict: z.enum(['approved', 'modified', 'rejected', 'acknowledged']),
  by: z.string(),
  reason: z.string(),
  final: z.nullable(z.string()),
  time: z.string(),
});

const outcome = z.object({
  result: z.enum(['applied', 'failed']),
  detail: z.string(),
  diff: z.string(),
  time: z.string(),
});

const opinion = z.object({ risk: z.enum(OPINION_RISKS), reason: z.string(), model: z.string(), time: z.string() });

const proposalSchema = z.object({
  id: z.string(),
  kind: z.enum(PROPOSAL_KINDS),
  status: z.enum(PROPOSAL_STATUSES),
  source: z.string(),
  justification: z.string(),
  target: z.string(),
  current: z.string(),
  proposed: z.string(),
  facts: z.record(z.string(), z.string()),
  shown: z.string(),
  created: z.string(),
  expires: z.nullable(z.string()),
  times: z.number(),
  decision: z.nullable(decision),
  outcome: z.nullable(outcome),
  opinion: z._default(z.nullable(opinion), null),
});

const listSchema = z.object({ proposals: z.array(proposalSchema) });

/** What supervise takes of an outcome, in characters. */
const LONGEST_DETAIL = 16 * 1024;
const LONGEST_DIFF = 512 * 1024;
/** A decision is on disk before it is answered, and disks can be slow. */
const PATIENCE_MS = 30_000;

export function createSupervise(socket: string): Supervise {
  const client = clientAt(socket, {
    name: 'supervise',
    remedy:
      'name the data directory of the bundle with BOTTLED_DATA, or its socket with --supervise-socket PATH or BOTTLED_SUPERVISE_SOCKET',
    alive: '/v1/status',
  });

  async function post(path: string, body: unknown): Promise<Proposal> {
    return read(proposalSchema, await client.ask('POST', path, { body, timeout: PATIENCE_MS }));
  }

  async function list(): Promise<readonly Proposal[]> {
    return read(listSchema, await client.ask('GET', '/v1/proposals', { timeout: PATIENCE_MS })).proposals;
  }

  return {
    list,
    find: async (id) => chosen(id, await list()),
    decide: (id, request) => post(`/v1/proposals/${id}/decision`, request),
    report: (id, { result, detail, diff }) =>
      post(`/v1/proposals/${id}/outcome`, {
        result,
        detail: cut(detail, LONGEST_DETAIL),
        diff: cut(diff, LONGEST_DIFF),
      }),
    async *changes() {
      let isOpen = false;
      for await (const line of client.lines('/v1/events', 'text/event-stream')) {
        if (!isOpen) yield undefined;
        isOpen = true;
        if (!line.startsWith('data: ')) continue;
        const parsed = proposalSchema.safeParse(parseJson(line.slice('data: '.length)));
        if (parsed.success) yield parsed.data;
      }
    },
  };
}

function read<T extends z.ZodMiniType>(schema: T, answer: Answer): z.output<T> {
  if (answer.status >= 300) throw refused(answer);
  const parsed = schema.safeParse(parseJson(answer.body));
  if (parsed.success) return parsed.data;
  throw new Failure(EXIT.failed, 'supervise answers in a way that is not known here; is it of another version?');
}

function chosen(id: string, all: readonly Proposal[]): Proposal {
  const begins = [id, `p-${id}`];
  const exact = all.find((one) => begins.includes(one.id));
  if (exact !== undefined) return exact;
  const near = all.filter((one) => begins.some((begin) => one.id.startsWith(begin)));
  const [only, ...others] = near;
  if (only === undefined) {
    throw new Failure(EXIT.noSuchDaemon, `there is no proposal "${id}"; see bottled proposals list --all`);
  }
  if (others.length === 0) return only;
  const ids = near.map((one) => one.id).join(', ');
  throw new Failure(EXIT.noSuchDaemon, `"${id}" may be any of ${ids}; write more of it`);
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 40)}\n… (the rest is left out)`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
