import { CUTOFF_WARNING } from './cutoff.ts';
import type { PolicyKeeper } from './policy.ts';
import type { UpstreamHealth } from './upstream-health.ts';
import type { Answered } from './verdict.ts';

export interface HealthOptions {
  readonly policy: PolicyKeeper;
  readonly upstream: UpstreamHealth;
  readonly isCutOff: () => boolean;
  /** SHA-256 of the certificate that agents trust. */
  readonly fingerprint: string;
  readonly clock: () => number;
}

/** Whoever reads this may be the agent, and a line about a file quotes it. */
const PROBLEM = 'what was read last could not be used; the log of egress says why';

/** Answers `/__health`: whether egress itself lives. What is wrong around it is told, and does not make it ill. */
export function createHealth({ policy, upstream, isCutOff, fingerprint, clock }: HealthOptions): () => Answered {
  const started_ms = clock();
  return () => {
    const health = {
      status: 'healthy',
      routes: policy.current().routes.routes.length,
      cutoff: isCutOff(),
      ...(isCutOff() ? { warning: CUTOFF_WARNING } : {}),
      ...(policy.hasProblem() ? { routes_problem: PROBLEM } : {}),
      upstream: upstream.current(),
      ca_sha256: fingerprint,
      uptime_seconds: Math.floor((clock() - started_ms) / 1000),
    };
    return {
      kind: 'answered',
      status: 200,
      contentType: 'application/json; charset=utf-8',
      body: `${JSON.stringify(health)}\n`,
    };
  };
}
