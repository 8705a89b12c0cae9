import type { Log } from '../log/log.ts';
import type { SecretFound } from './judge.ts';
import type { Metrics } from './metrics.ts';

/** Counts and logs each known secret that was on its way out, at once and whatever the log level of the routes. */
export function createFindings(log: Log, metrics: Metrics): (finding: SecretFound) => void {
  return ({ secret, isCanary, encoding, evidence, action, where, host, method, route }) => {
    metrics.countSecret(isCanary ? 'canary' : 'known-secret', action);
    const what = isCanary ? 'the canary' : `${secret} (${encoding})`;
    const next = isCanary
      ? 'the agent, or something that it runs, is sending out what it was given: look at what it does'
      : action === 'redacted'
        ? 'stars went out in its place'
        : action === 'held'
          ? 'the request waits for the operator'
          : 'the request was refused';
    log(isCanary ? 'error' : 'warn', `egress: ${what} in the ${where} of a request to ${host}; ${next}`, {
      event: isCanary ? 'canary' : 'egress_secret_found',
      secret,
      encoding,
      action,
      where,
      host,
      method: method.slice(0, LONGEST_METHOD),
      route,
      evidence,
    });
  };
}

const LONGEST_METHOD = 32;
