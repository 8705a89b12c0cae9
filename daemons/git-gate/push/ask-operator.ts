import type { Answer, Reporter } from '../../reports/reporter.ts';

/** A finding that the operator is told of. */
export interface FindingTold {
  readonly fingerprint: string;
  readonly rule: string;
  readonly what: string;
  /** Where it stands, in words; cut where a secret begins in it. */
  readonly place: string;
  /** Short id of the commit that brings it, where that is known. */
  readonly commit: string | undefined;
}

/** Of one push. One that has more is not a matter of letting single findings pass. */
const MOST_ASKED = 5;

/**
 * Tells the operator of what a push was refused for, and says what the operator has said to each so far; by fingerprint. A push does not
 * wait: who is allowed pushes again. Of findings beyond the first few nobody is told.
 */
export function askOperator(
  findings: readonly FindingTold[],
  push: { readonly repo: string; readonly refs: readonly string[] },
  reporter: Reporter,
): ReadonlyMap<string, Answer> {
  const answers = new Map<string, Answer>();
  for (const { fingerprint, rule, what, place, commit } of findings) {
    if (!FINGERPRINT.test(fingerprint) || answers.has(fingerprint) || answers.size >= MOST_ASKED) continue;
    const brought = commit === undefined ? '' : `, in commit ${commit}`;
    const answer = reporter.tell({
      // What changes from one try to the next is not a part of it: the same finding, pushed again, is the same question.
      facts: { fingerprint, rule, what, repo: push.repo, place },
      justification: `a push to ${push.repo} was refused: ${rule} in ${place}${brought}, for ${push.refs.join(', ')}`,
    });
    answers.set(fingerprint, answer);
  }
  return answers;
}

/** A finding that no fingerprint stands for cannot be allowed. */
const FINGERPRINT = /^[0-9a-f]{64}$/;
