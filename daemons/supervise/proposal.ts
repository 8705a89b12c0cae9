/** What can stand in the operator's list. The first four come from the agent's tools, the next three are reports of daemons. */
export const PROPOSAL_KINDS = [
  'egress-block',
  'pipelock-block',
  'capability-block',
  'tool-ask',
  'gitleaks-allow',
  'egress-token-allow',
  'incident',
] as const;

export type ProposalKind = (typeof PROPOSAL_KINDS)[number];

/**
 * `pending` → `approved` or `modified` → `applied`, or back to `failed`, which an operator may try again; `rejected`, `expired`
 * (silence means no) and `stale` (what it was about has changed) are ends. An incident goes from `pending` to `acknowledged`.
 */
export const PROPOSAL_STATUSES = [
  'pending',
  'approved',
  'modified',
  'applied',
  'failed',
  'rejected',
  'expired',
  'stale',
  'acknowledged',
] as const;

export type ProposalStatus = (typeof PROPOSAL_STATUSES)[number];

/** One entry of the operator's list. Times are RFC 3339. No field holds a secret. */
export interface Proposal {
  /** Short and easy to type, unique within the log, e.g. `p-7kq2`. */
  readonly id: string;
  readonly kind: ProposalKind;
  readonly status: ProposalStatus;
  /** Who asked: `agent`, or the daemon that reports. */
  readonly source: string;
  readonly justification: string;
  /** The file that would change, e.g. `routes.yaml`; empty for a report. */
  readonly target: string;
  /** What the target held when this was proposed, and what is to be in it. Empty for a report. */
  readonly current: string;
  readonly proposed: string;
  /** For reports: what happened, in named fields that are fit to be shown. */
  readonly facts: Readonly<Record<string, string>>;
  /** SHA-256 (hex) over kind, target, current, proposed and facts: a decision binds to exactly this. */
  readonly shown: string;
  readonly created: string;
  readonly expires: string | null;
  /** How often the same was proposed. */
  readonly times: number;
  readonly decision: Decision | null;
  /** What came of applying it. */
  readonly outcome: Outcome | null;
  /** What a language model says of it: advice for the operator, untrusted, and never shown to who asked. */
  readonly opinion: Opinion | null;
}

export const OPINION_RISKS = ['low', 'medium', 'high'] as const;

export interface Opinion {
  readonly risk: (typeof OPINION_RISKS)[number];
  /** One line. */
  readonly reason: string;
  /** The name by which the model was asked. */
  readonly model: string;
  readonly time: string;
}

export interface Decision {
  readonly verdict: 'approved' | 'modified' | 'rejected' | 'acknowledged';
  /** Who decided, as the operator's side names it. */
  readonly by: string;
  readonly reason: string;
  /** For `modified`: what is to be written instead of `proposed`. */
  readonly final: string | null;
  readonly time: string;
}

export interface Outcome {
  readonly result: 'applied' | 'failed';
  /** What was done and seen, or why it was taken back. */
  readonly detail: string;
  /** Unified diff of what changed in the target. */
  readonly diff: string;
  readonly time: string;
}

/**
 * The operator's API: HTTP with JSON on a unix socket of mode 0600 (`SUPERVISE_SOCKET`). Errors are `application/problem+json`
 * with `title` and `detail`.
 *
 * - `GET /v1/proposals?status=pending&kind=…` → `{ proposals: Proposal[] }`, oldest first
 * - `GET /v1/proposals/ID` → `Proposal`; 404
 * - `POST /v1/proposals/ID/decision` with {@link DecisionRequest} → `Proposal`; 409 where it is decided already, or where `shown` is
 *   not what it holds; 422 where a reason is required and missing. It is on disk before the answer.
 * - `POST /v1/proposals/ID/outcome` with `{ result, detail, diff }` → `Proposal`; 409 unless it is approved or modified (or failed)
 * - `GET /v1/events` → server-sent events, one `Proposal` each time one changes
 * - `POST /v1/incidents` with `{ text, daemon, cause, lines }` → an entry of kind `incident`, 201; the one that is there, 200, where
 *   nobody has looked yet at one of the same daemon and cause; 429 where too many wait
 * - `GET /v1/status` → `{ counts, log: { records, hash }, readOnly, refused, merged, model }`: counts by status, the log's length and
 *   last hash, why nothing can be written (or null), how many were refused beyond a limit, how many were there already, and
 *   the model that is asked for second opinions as `{ name, state, given, none }` (or null)
 *
 * While the log cannot be believed or written, whatever would change something is answered with 503.
 */
export interface DecisionRequest {
  readonly verdict: Decision['verdict'];
  readonly shown: string;
  readonly by: string;
  readonly reason?: string;
  readonly final?: string;
}
