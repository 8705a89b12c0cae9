import type { DecisionRequest, Opinion, Outcome, Proposal } from '../proposal.ts';
import type { QueueEvent } from './event.ts';
import { isApplicable, isToBeApplied } from './state.ts';

/** Why something cannot be done, as an HTTP problem. */
export interface Refusal {
  readonly ok: false;
  readonly status: 404 | 405 | 409 | 422 | 429 | 503;
  readonly title: string;
  readonly detail: string;
}

/** Judges an operator's decision about `proposal`. */
export function decide(
  proposal: Proposal,
  request: DecisionRequest,
  now: number,
): { readonly ok: true; readonly event: QueueEvent } | Refusal {
  const { id, status, shown, expires, kind } = proposal;
  const { verdict, by, reason = '', final } = request;
  if (status !== 'pending') return conflict('decided already', `${id} is ${status}; nothing is left to decide.`);
  if (expires !== null && Date.parse(expires) <= now) return conflict('expired', `${id} expired at ${expires}.`);
  if (request.shown !== shown) {
    return conflict(
      'not what was shown',
      `The decision is about something else than what ${id} holds; look at it again.`,
    );
  }
  if ((kind === 'incident') !== (verdict === 'acknowledged')) {
    const can = kind === 'incident' ? 'only be acknowledged' : 'not be acknowledged: approve or reject it';
    return unfit('not a verdict for this', `${id} is of kind ${kind} and can ${can}.`);
  }
  if (verdict === 'modified' && !isApplicable(proposal)) {
    return unfit('nothing to edit', `${id} is a report: approve or reject it.`);
  }
  if ((verdict === 'modified') !== (final !== undefined)) {
    return unfit('final', 'A decision has "final" where its verdict is modified, and only there.');
  }
  if (needsReason(proposal) && reason.trim() === '') {
    return unfit('a reason is required', `${id} is of kind ${kind}, which is decided with a reason.`);
  }
  return { ok: true, event: { type: 'decided', id, shown, verdict, by, reason, final: final ?? null } };
}

/** What lets a secret pass is decided with a reason, which stays in the log. */
function needsReason({ kind }: Proposal): boolean {
  return kind === 'gitleaks-allow' || kind === 'egress-token-allow';
}

/** Judges what the operator's side says came of applying `proposal`. */
export function applied(
  proposal: Proposal,
  { result, detail, diff }: Omit<Outcome, 'time'>,
): { readonly ok: true; readonly event: QueueEvent } | Refusal {
  const { id, status } = proposal;
  if (isToBeApplied(proposal)) return { ok: true, event: { type: 'outcome', id, result, detail, diff } };
  return conflict('nothing to apply', `${id} is ${status}; only what is approved, modified or failed can be applied.`);
}

/** Judges whether a model's advice about `proposal` still serves anyone. */
export function advised(
  { id, status }: Proposal,
  { risk, reason, model }: Omit<Opinion, 'time'>,
): { readonly ok: true; readonly event: QueueEvent } | Refusal {
  if (status === 'pending') return { ok: true, event: { type: 'opinion', id, risk, reason, model } };
  return conflict('decided already', `${id} is ${status}; nobody needs an opinion on it.`);
}

/** Proposals whose time is over: silence means no. */
export function expiredBy(proposals: Iterable<Proposal>, now: number): readonly QueueEvent[] {
  return [...proposals]
    .filter(({ status, expires }) => status === 'pending' && expires !== null && Date.parse(expires) <= now)
    .map(({ id }) => ({ type: 'expired', id }));
}

function conflict(title: string, detail: string): Refusal {
  return { ok: false, status: 409, title, detail };
}

function unfit(title: string, detail: string): Refusal {
  return { ok: false, status: 422, title, detail };
}
