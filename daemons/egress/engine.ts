import type { Authority } from '../authority/authority.ts';
import type { Limits } from './limits.ts';
import type { Upstream } from './upstream.ts';
import type { Exchange, Held, Judge, Question, Refused, Verdict } from './verdict.ts';
import type { Waits } from './waits.ts';

/** Something that was refused for its form. */
export interface Unread {
  readonly refusal: Refused;
  /** Where the tunnel leads in which it came, where that is known. */
  readonly authority: Authority | undefined;
}

/** What all exchanges share. */
export interface Engine {
  /** The policy in force now: it is exchanged while the proxy runs. */
  readonly judge: () => Judge;
  readonly upstream: Upstream;
  readonly limits: Limits;
  readonly waits: Waits;
  readonly report: (exchange: Exchange) => void;
  /** Told of what was refused before anybody knew what was asked for. */
  readonly reportUnread: (unread: Unread) => void;
  /** How many are under way, and how many bytes of bodies are kept for the operator. */
  readonly open: { exchanges: number; webSockets: number; tunnels: number; heldBytes: number };
}

/** Asks the policy. One that breaks down refuses: nothing goes out unjudged. */
export function judged(engine: Engine, question: Question): Verdict | Held {
  try {
    return engine.judge()(question);
  } catch {
    return {
      kind: 'refused',
      status: 503,
      code: 'policy-failed',
      reason: 'the policy could not be asked; nothing was sent',
    };
  }
}

/** Waits for the person on whom a held request depends, and tells what becomes of it by the policy that is in force then. */
export async function settled(engine: Engine, question: Question, held: Held, signal: AbortSignal): Promise<Verdict> {
  const refusal = await held.settle(signal);
  if (refusal !== undefined) return refusal;
  const verdict = judged(engine, question);
  return verdict.kind === 'held' ? CHANGED : verdict;
}

const CHANGED: Refused = {
  kind: 'refused',
  status: 503,
  code: 'policy-changed',
  reason: 'routes or credentials have changed while the operator decided; send it again',
};

/** Reports a request whose agent left while it was held. */
export function reportGone(engine: Engine, question: Question, startedAt: number): void {
  engine.report({
    question,
    verdict: GONE,
    status: undefined,
    sentBytes: 0,
    receivedBytes: 0,
    duration_ms: performance.now() - startedAt,
    fault: 'client-aborted',
    responseHeaders: undefined,
  });
}

const GONE: Refused = {
  kind: 'refused',
  status: 403,
  code: 'held',
  reason: 'the agent left before anything of it was sent',
};

/** Reports what was answered at once. */
export function reportAnswered(engine: Engine, question: Question, verdict: Verdict, startedAt: number): void {
  engine.report({
    question,
    verdict,
    status: verdict.kind === 'allowed' ? undefined : verdict.status,
    sentBytes: 0,
    receivedBytes: 0,
    duration_ms: performance.now() - startedAt,
    fault: undefined,
    responseHeaders: undefined,
  });
}

/** The line that an agent reads. */
export function refusalLine({ reason }: Refused): string {
  return `egress: ${reason}\n`;
}

export const plainText = 'text/plain; charset=utf-8';

/** Why nothing came back, and as which status: what the connection to the upstream met. `name` is the upstream's. */
export function upstreamRefusal(name: string, error: unknown): Refused {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code.startsWith('HPE_')) {
    return {
      kind: 'refused',
      status: 502,
      code: 'bad-answer',
      reason: `what came back through ${name} is not sound HTTP (${code})`,
    };
  }
  const reason = `${name} did not answer (${code}); nothing leaves without it, try again when it is up`;
  return { kind: 'refused', status: 502, code: 'upstream-unreachable', reason };
}
