import type { Limits } from './limits.ts';
import type { Upstream } from './upstream.ts';
import type { Exchange, Judge, Question, Refused, Verdict } from './verdict.ts';
import type { Waits } from './waits.ts';

/** What all exchanges share. */
export interface Engine {
  /** The policy in force now: it is exchanged while the proxy runs. */
  readonly judge: () => Judge;
  readonly upstream: Upstream;
  readonly limits: Limits;
  readonly waits: Waits;
  readonly report: (exchange: Exchange) => void;
  /** How many are under way. */
  readonly open: { exchanges: number; webSockets: number; tunnels: number };
}

/** Asks the policy. One that breaks down refuses: nothing goes out unjudged. */
export function judged(engine: Engine, question: Question): Verdict {
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
