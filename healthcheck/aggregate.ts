import { sentence } from './sentence.ts';

/** The health of a whole bundle (DESIGN 8). */
export const HEALTH_STATUSES = ['starting', 'healthy', 'degraded', 'unhealthy'] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

/** What the aggregate needs to know of one daemon. */
export interface DaemonHealth {
  readonly name: string;
  readonly essential: boolean;
  /** It should be doing its job: not completed, not stopped by an operator, not yet to be started by anyone. */
  readonly wanted: boolean;
  readonly ready: boolean;
  /** It has been ready once since the bundle started. */
  readonly everReady: boolean;
  /** It has failed, or its start period is over: not being ready is no longer a matter of patience. */
  readonly overdue: boolean;
  /** In words, e.g. "backoff: exit code 3, next try in 1.2 s". */
  readonly text: string;
}

/** The aggregate with its reasons. */
export interface HealthReport {
  readonly status: HealthStatus;
  /** One sentence for a human, e.g. "degraded: git-gate is not ready (backoff: exit code 3)". */
  readonly text: string;
  readonly daemons: readonly DaemonHealth[];
}

export interface AggregateOptions {
  /** Why the init itself no longer does its job, where that is so. */
  readonly stuck?: string;
}

/**
 * Judges the bundle by the table of DESIGN 8. Where an essential daemon is still starting and another has used up its
 * patience, the bundle is unhealthy: waiting for the first does not mend the second. A bundle in which nothing is
 * essential is at worst degraded, unless no daemon of it does its job: then it is starting, or unhealthy once none starts.
 */
export function aggregate(daemons: readonly DaemonHealth[], { stuck }: AggregateOptions = {}): HealthReport {
  if (stuck !== undefined) return report('unhealthy', `the init is stuck: ${sentence(stuck, SHOWN_TEXT)}`, daemons);
  const wanted = daemons.filter((daemon) => daemon.wanted);
  const missing = wanted.filter((daemon) => !daemon.ready);
  const missed = missing.filter((daemon) => daemon.essential);
  const lost = missed.filter((daemon) => !isStarting(daemon));
  if (lost.length > 0) return report('unhealthy', notReady(lost, 'not ready'), daemons);
  if (missed.length > 0) return report('starting', notReady(missed, 'not ready yet'), daemons);
  if (missing.length === 0) return report('healthy', allReady(wanted.length), daemons);
  if (missing.length === wanted.length && !daemons.some(isEssential)) {
    return missing.some(isStarting)
      ? report('starting', notReady(missing, 'not ready yet'), daemons)
      : report('unhealthy', `no daemon does its job: ${notReady(missing, 'not ready')}`, daemons);
  }
  return report('degraded', notReady(missing, 'not ready'), daemons);
}

function report(status: HealthStatus, why: string, daemons: readonly DaemonHealth[]): HealthReport {
  return { status, text: `${status}: ${why}`, daemons };
}

function isEssential(daemon: DaemonHealth): boolean {
  return daemon.essential;
}

/** Not ready, but that is a matter of patience. */
function isStarting(daemon: DaemonHealth): boolean {
  return !daemon.ready && !daemon.everReady && !daemon.overdue;
}

const SHOWN_DAEMONS = 3;
const SHOWN_TEXT = 120;

function notReady(daemons: readonly DaemonHealth[], what: string): string {
  const [only, ...others] = daemons;
  if (only !== undefined && others.length === 0) return `${only.name} is ${what}${inBrackets(only)}`;
  const shown = daemons.slice(0, SHOWN_DAEMONS).map((daemon) => `${daemon.name}${inBrackets(daemon)}`);
  const rest = daemons.length - shown.length;
  return `${daemons.length} daemons are ${what}: ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function inBrackets({ text }: DaemonHealth): string {
  const why = sentence(text, SHOWN_TEXT);
  return why === '' ? '' : ` (${why})`;
}

function allReady(daemons: number): string {
  if (daemons === 0) return 'no daemon is to run';
  return daemons === 1 ? '1 daemon is ready' : `${daemons} daemons are ready`;
}
