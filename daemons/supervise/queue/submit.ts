import type { Proposal } from '../proposal.ts';
import type { QueueEvent } from './event.ts';
import { idOf } from './id.ts';
import { type Limits, MOST_PENDING_CHARACTERS } from './limits.ts';
import { shownHash, textHash } from './shown.ts';
import { type Entry, isApplicable, type State, sizeOf } from './state.ts';

/** What someone asks for, fit to be written down. */
export interface Draft
  extends Pick<Proposal, 'kind' | 'source' | 'justification' | 'target' | 'current' | 'proposed' | 'facts'> {
  /** {@link textHash} of what the target held, unmasked; empty for a report. */
  readonly currentHash: string;
  /** What tells one file of a report from another; undefined where there is no such file. */
  readonly report?: string;
  /** After this nobody waits for an answer, milliseconds since 1970: it expires then, or earlier. */
  readonly until?: number;
}

/** What becomes of a draft. `event` is to be written down before anyone is told. */
export type Submission =
  | { readonly kind: 'new'; readonly id: string; readonly event: QueueEvent }
  | { readonly kind: 'same'; readonly id: string; readonly event: QueueEvent | undefined }
  | { readonly kind: 'taken' }
  /** The target holds just what is proposed. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Repeats are written down one by one up to this many, then at each doubling: asking again costs the log next to nothing. */
const MOST_REPEATS_WRITTEN = 16;

/** Judges a draft. `times` says how often an entry was proposed so far, where that is more than the state says. */
export function submit(
  state: State,
  draft: Draft,
  now: number,
  limits: Limits,
  times: (id: string) => number = () => 0,
): Submission {
  if (draft.report !== undefined && state.taken.has(draft.report)) return { kind: 'taken' };
  const same = findSame(state, draft, now, limits);
  if (same !== undefined) {
    const { id } = same.proposal;
    const next = Math.max(times(id), same.proposal.times) + 1;
    const told = toldOnce(draft);
    const isWritten = told !== undefined || next <= MOST_REPEATS_WRITTEN || Number.isInteger(Math.log2(next));
    return { kind: 'same', id, event: isWritten ? { type: 'repeated', id, times: next, ...told } : undefined };
  }
  if (isApplicable(draft) && textHash(draft.proposed) === draft.currentHash) return { kind: 'unchanged' };
  const reason = excess(state, draft, now, limits);
  if (reason !== undefined) return { kind: 'refused', reason };
  const id = idOf(state.created);
  const { kind, source, justification, target, current, proposed, facts, currentHash, report } = draft;
  const asked = { id, kind, source, justification, target, current, proposed, facts, shown: shownHash(draft) };
  const expires = new Date(Math.min(now + limits.expiry_ms, draft.until ?? Number.POSITIVE_INFINITY)).toISOString();
  const event: QueueEvent = {
    type: 'proposed',
    ...asked,
    expires,
    currentHash,
    ...(report === undefined ? {} : { report }),
  };
  return { kind: 'new', id, event };
}

/** What has to be written down so that the same file or incident is not taken in twice; undefined where it is asked anew each time. */
function toldOnce({ kind, report, facts }: Draft): { readonly report: string } | { readonly time: string } | undefined {
  if (report !== undefined) return { report };
  return kind === 'incident' && facts.time !== undefined ? { time: facts.time } : undefined;
}

/** The entry that stands for the same: one that is open, or one that was answered a short while ago. */
function findSame(state: State, draft: Draft, now: number, limits: Limits): Entry | undefined {
  const shown = shownHash(draft);
  const since = new Date(now - limits.expiry_ms).toISOString();
  for (const entry of [...state.entries.values()].reverse()) {
    const { proposal, ended } = entry;
    if (proposal.kind !== draft.kind || proposal.source !== draft.source || proposal.target !== draft.target) continue;
    const isSame = draft.kind === 'incident' ? isSameIncident(proposal, draft) : proposal.shown === shown;
    if (ended === null ? isSame : ended > since && stillAnswers(entry, draft, isSame)) return entry;
  }
  return undefined;
}

/** An incident that nobody has looked at yet, of the same daemon and cause: its last lines may be others. */
function isSameIncident(proposal: Proposal, { facts }: Draft): boolean {
  return proposal.facts.daemon === facts.daemon && proposal.facts.cause === facts.cause;
}

/** Whether what has ended answers the draft too, so that who asks again because nobody waited for the answer gets it. */
function stillAnswers({ proposal }: Entry, draft: Draft, isSame: boolean): boolean {
  switch (proposal.status) {
    case 'rejected':
      return isSame;
    case 'approved':
      return isSame && !isApplicable(proposal);
    case 'applied':
      // What still meets a finding after it was allowed is not allowed any more.
      if (!isApplicable(proposal)) return isSame && proposal.kind !== 'gitleaks-allow';
      return proposal.proposed === draft.proposed && (proposal.decision?.final ?? proposal.proposed) === draft.current;
    default:
      return false;
  }
}

/** Why one more is too much, for who asks; undefined where it is not. */
function excess(state: State, draft: Draft, now: number, limits: Limits): string | undefined {
  const own = [...state.entries.values()].filter(({ proposal }) => proposal.source === draft.source);
  const open = own.filter(({ ended }) => ended === null);
  if (open.length >= limits.mostPending) {
    return `${open.length} proposals wait for the operator already, and no more may. Nothing was proposed; wait until some are decided.`;
  }
  const characters = open.reduce((sum, { proposal }) => sum + sizeOf(proposal), 0);
  if (characters + draft.current.length + draft.proposed.length > MOST_PENDING_CHARACTERS) {
    return 'the proposals that wait for the operator are too long together. Nothing was proposed; wait until some are decided.';
  }
  const aMinuteAgo = new Date(now - 60_000).toISOString();
  if (own.filter(({ proposal }) => proposal.created > aMinuteAgo).length >= limits.mostPerMinute) {
    return `${limits.mostPerMinute} new proposals in a minute are the most. Nothing was proposed; try again in a minute.`;
  }
  return undefined;
}
