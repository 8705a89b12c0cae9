import { createHmac, randomBytes } from 'node:crypto';
import type { Log } from '../log/log.ts';
import { type Answer, type Reporter, tellAnswer } from '../reports/reporter.ts';
import type { Refused } from './verdict.ts';

/** A credential on its way out, where a person may let it pass. No field holds it. */
export interface Outgoing {
  /** The name of the credential. */
  readonly credential: string;
  /** `host`, `path`, `query`, `body`, or `header` and its name. */
  readonly where: string;
  /** Scheme, host and port as they would go out. */
  readonly origin: string;
  readonly method: string;
  /** Without the query, as it was sent. It may hold the credential. */
  readonly path: string;
  /** The same for a person: without any secret. */
  readonly shownPath: string;
  readonly shownOrigin: string;
  /** How the credential is written: `as it is`, `base64`, … */
  readonly encoding: string;
  /** The route that allows all the rest. */
  readonly route: string;
}

/** Asks the operator about credentials that go out on routes with `outbound_on_match: supervise`. */
export interface Supervision {
  /** Whether the operator has let this pass since egress was started. */
  isApproved(outgoing: Pick<Outgoing, 'credential' | 'where' | 'origin' | 'method' | 'path'>): boolean;
  /** Tells the operator; what comes of it counts the next time. */
  tell(outgoing: Outgoing): Refused;
  /** Waits for the operator. Undefined: all of it may pass. Never rejects. */
  hold(outgoing: readonly Outgoing[], signal: AbortSignal): Promise<Refused | undefined>;
}

export interface SupervisionOptions {
  readonly reporter: Reporter;
  /** How long the operator has. Milliseconds. */
  readonly hold_ms: number;
  /** Told which credential may pass somewhere, before it does. Where it rejects, nothing passes. */
  readonly passing: (credential: string) => Promise<void>;
  readonly log: Log;
}

/** Requests that wait for the operator at once: each keeps a connection of the agent. */
const MOST_HELD = 32;
const LONGEST_METHOD = 32;
/** Approvals that are remembered; the oldest is asked for again. */
const MOST_APPROVED = 10_000;

export function createSupervision({ reporter, hold_ms, passing, log }: SupervisionOptions): Supervision {
  /** Known to nobody, so that what stands for a path cannot be guessed back, and an approval ends with this process. */
  const key = randomBytes(32);
  const approved = new Set<string>();
  let held = 0;

  function digestOf({
    credential,
    where,
    origin,
    method,
    path,
  }: Pick<Outgoing, 'credential' | 'where' | 'origin' | 'method' | 'path'>): string {
    return createHmac('sha256', key)
      .update(JSON.stringify([credential, where, origin, method, path]))
      .digest('hex');
  }

  function matterOf(outgoing: Outgoing) {
    const { credential, where, method, shownOrigin, shownPath, encoding, route } = outgoing;
    return {
      facts: { credential, where, origin: shownOrigin, method, path: shownPath, digest: digestOf(outgoing) },
      justification: `${method} ${shownOrigin}${shownPath} holds ${credential} (${encoding}) in the ${where}; route ${route}`,
    };
  }

  function note({ credential, where, shownOrigin, method }: Outgoing, answer: Answer): void {
    const what = `${credential} in the ${where} of ${method.slice(0, LONGEST_METHOD)} ${shownOrigin}`;
    const isYes = answer.kind === 'approved';
    const said = isYes ? `the operator lets it pass (${answer.id})` : tellAnswer(answer);
    log(isYes ? 'info' : 'warn', `egress: ${what}: ${said}`, {
      event: 'egress_asked',
      answer: answer.kind,
      ...('id' in answer ? { id: answer.id } : {}),
      secret: credential,
      where,
    });
  }

  async function approve(outgoing: Outgoing): Promise<Refused | undefined> {
    try {
      await passing(outgoing.credential);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return refused(outgoing, `the operator has allowed it, but pipelock cannot be told: ${why}`);
    }
    const [oldest] = approved;
    if (oldest !== undefined && approved.size >= MOST_APPROVED) approved.delete(oldest);
    approved.add(digestOf(outgoing));
    return undefined;
  }

  return {
    isApproved: (outgoing) => approved.size > 0 && approved.has(digestOf(outgoing)),
    tell(outgoing) {
      const answer = reporter.tell(matterOf(outgoing));
      note(outgoing, answer);
      if (answer.kind !== 'approved') return refusalOf(outgoing, answer);
      void approve(outgoing);
      return refused(outgoing, 'the operator has allowed it meanwhile; send it again');
    },
    async hold(outgoing, signal) {
      const [first] = outgoing;
      if (first === undefined) return undefined;
      if (held >= MOST_HELD) return refused(first, `${MOST_HELD} requests wait for the operator already; try again`);
      held += 1;
      try {
        const refusals = await Promise.all(
          outgoing.map(async (one) => {
            const answer = await reporter.ask(matterOf(one), { wait_ms: hold_ms, signal, isOnce: false });
            note(one, answer);
            return answer.kind === 'approved' ? approve(one) : refusalOf(one, answer);
          }),
        );
        return refusals.find((refusal) => refusal !== undefined);
      } finally {
        held -= 1;
      }
    },
  };
}

function refusalOf(outgoing: Outgoing, answer: Exclude<Answer, { readonly kind: 'approved' }>): Refused {
  const next = answer.kind === 'unanswered' ? '; send it again once it is allowed' : '';
  return refused(outgoing, `${tellAnswer(answer)}${next}`);
}

function refused({ where, route }: Outgoing, why: string): Refused {
  const reason = `the ${where} holds a secret, which must not leave this bottle unasked; ${why}`;
  return { kind: 'refused', status: 403, code: 'secret-found', reason, route };
}
