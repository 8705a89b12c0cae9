import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Proposal } from '../proposal.ts';
import { isAnswered } from '../queue/state.ts';
import type { Answer } from './tools.ts';

/** The result of a call about a proposal: a sentence that says how to go on, the same for a program, and it is never an error. */
export function resultFor(proposal: Proposal): CallToolResult {
  return result(sentenceFor(proposal), answerFor(proposal));
}

/** The target holds what was proposed before anyone proposed it. */
export function unchangedResult(target: string): CallToolResult {
  return result(`${target} holds exactly this already: there is nothing to propose.`, {
    status: 'unchanged',
    in_force: true,
    notes: '',
  });
}

/** An error that the agent can do something about. */
export function errorResult(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}

/** JSON stands in the content as well: not every client shows a model `structuredContent`. */
function result(sentence: string, answer: Answer): CallToolResult {
  return {
    content: [
      { type: 'text', text: sentence },
      { type: 'text', text: JSON.stringify(answer) },
    ],
    structuredContent: answer,
    isError: false,
  };
}

function answerFor(proposal: Proposal): Answer {
  const { id, decision, expires } = proposal;
  const status = statusFor(proposal);
  return {
    status,
    in_force: proposal.status === 'applied',
    id,
    notes: decision?.reason ?? '',
    ...(decision?.final == null ? {} : { final: decision.final }),
    ...(status === 'pending' && expires !== null ? { expires } : {}),
  };
}

function statusFor({ status, decision }: Proposal): Answer['status'] {
  if (status === 'applied') return decision?.verdict === 'modified' ? 'modified' : 'approved';
  return status === 'acknowledged' ? 'rejected' : status;
}

/** What has become of a proposal, for a model. */
export function sentenceFor(proposal: Proposal): string {
  const { id, target, status, decision, expires } = proposal;
  const notes = decision === null || decision.reason === '' ? '' : ` The operator says: ${decision.reason}`;
  switch (status) {
    case 'pending':
      return `${id} is pending: nobody has decided yet. It stays in the operator's list${expires === null ? '' : ` until ${expires}`}. Go on with other work; ask with check-proposal (id "${id}"), or call this again with the same arguments.`;
    case 'applied':
      return decision?.verdict === 'modified'
        ? `${id} was approved with changes, and is in force: see "final" for what ${target} holds now.${notes}`
        : `${id} was approved, and is in force.${notes}`;
    case 'approved':
    case 'modified':
      return isAnswered(proposal)
        ? `${id} was approved.${notes}`
        : `${id} was approved and is being put in force. Ask with check-proposal (id "${id}") until in_force is true.${notes}`;
    case 'failed':
      return `${id} was approved, but could not be put in force; what was there before holds. The operator knows, and may try again: ask with check-proposal (id "${id}").${notes}`;
    case 'rejected':
      return `${id} was rejected. Do not propose the same again.${notes}`;
    case 'expired':
      return `${id} expired: nobody decided in time, which means no. Propose it again only if you still need it.`;
    case 'stale':
      return `${id} is stale: ${target} changed after it was proposed. Look at what holds now, and propose anew what is still missing.`;
    case 'acknowledged':
      return `${id} was seen by the operator.${notes}`;
  }
}
