/** What a failure came from, as `status`, events and logs name it. */
export const CAUSES = [
  'exit-code',
  'signal',
  'out-of-memory',
  'not-found',
  'not-executable',
  'wrong-architecture',
  'missing-library',
  'glibc-mismatch',
  'address-in-use',
  'permission-denied',
  'probe-failed',
  'start-timeout',
  'dependency-failed',
  'killed-after-grace',
] as const;

export type CauseKind = (typeof CAUSES)[number];

/** A failure with its cause: `detail` says what was seen, `hint` what to do about it. */
export interface Cause {
  readonly kind: CauseKind;
  readonly detail: string;
  readonly hint?: string;
}

/** One line for a human: what was seen, and what to do about it. */
export function describeCause(cause: Cause): string {
  const hint = cause.hint === undefined ? '' : `; ${cause.hint}`;
  return `${cause.kind}: ${cause.detail}${hint}`;
}
