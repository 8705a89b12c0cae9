import type { Proposal, ProposalKind } from '../supervise/proposal.ts';

/** A configuration file of the bottle that an approval changes. */
export type TargetName = 'routes.yaml' | 'pipelock.yaml' | 'git-gate.yaml';

/** What the approval of a kind of proposal is about. */
export interface KindRule {
  /** The file that is written; undefined where the decision itself is all. */
  readonly writes: TargetName | 'Dockerfile' | undefined;
  /** It lets something pass that was taken for a secret: why, stays in the log. */
  readonly needsReason: boolean;
  /** The operator may write something else instead of what is proposed. */
  readonly canBeEdited: boolean;
}

export const KINDS: Readonly<Record<ProposalKind, KindRule>> = {
  'egress-block': { writes: 'routes.yaml', needsReason: false, canBeEdited: true },
  'pipelock-block': { writes: 'pipelock.yaml', needsReason: false, canBeEdited: true },
  'capability-block': { writes: 'Dockerfile', needsReason: false, canBeEdited: true },
  'tool-ask': { writes: undefined, needsReason: false, canBeEdited: false },
  'gitleaks-allow': { writes: 'git-gate.yaml', needsReason: true, canBeEdited: false },
  'egress-token-allow': { writes: undefined, needsReason: true, canBeEdited: false },
  incident: { writes: undefined, needsReason: false, canBeEdited: false },
};

/** The daemons that read a file, in the order in which they are told: a new host passes pipelock before egress lets requests to it. */
export const READERS: Readonly<Record<TargetName, readonly string[]>> = {
  'routes.yaml': ['pipelock', 'egress'],
  'pipelock.yaml': ['pipelock'],
  'git-gate.yaml': ['git-gate'],
};

/** Decided with a yes, and not yet in force. */
export function isUnderWay({ status, kind }: Pick<Proposal, 'status' | 'kind'>): boolean {
  if (status === 'failed' || status === 'modified') return true;
  return status === 'approved' && KINDS[kind].writes !== undefined;
}

/** What an approval asks for, once it is decided. */
export interface Approved extends Pick<Proposal, 'id' | 'kind' | 'current' | 'facts'> {
  /** What is to be there: as proposed, or as the operator has edited it. */
  readonly wanted: string;
  readonly reason: string;
  readonly by: string;
}

/** The approval that a decided proposal is; undefined while nobody has approved it. */
export function approvedOf({ id, kind, current, facts, proposed, decision }: Proposal): Approved | undefined {
  if (decision === null || (decision.verdict !== 'approved' && decision.verdict !== 'modified')) return undefined;
  return { id, kind, current, facts, wanted: decision.final ?? proposed, reason: decision.reason, by: decision.by };
}
