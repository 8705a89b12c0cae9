import type { Summary } from './stats.ts';

/** A bound on a median (`worst`: on the largest value): so many times that of another subject, plus so much. */
export interface Target {
  readonly metric: string;
  readonly subject: string;
  readonly relation: '<=' | '>=';
  readonly of?: 'median' | 'worst';
  readonly times?: { readonly factor: number; readonly subject: string };
  readonly plus?: number;
}

/** How far the lowest heap of two stretches differs without a leak, in MiB; crashing in a loop makes much more garbage. */
const NOISE = { lines: 4, restarts: 16 };
const PUSHES = ['push of 100 files', 'push of 1500 files'];
const PROBE = 'healthcheck/healthcheck';
const BRIDGED = ['bare tool', 'SDK tool'].flatMap((tool) =>
  ['2025-11-25', '2026-07-28'].map((era) => `${tool}, ${era}`),
);
const PEERS_OF_BRIDGE = ['supergateway --stateful', 'mcp-proxy'];
/** How far the resident set of a bridge differs without a leak, in MiB: two young generations of V8. */
const NOISE_OF_BRIDGE = 32;
const floor = (factor: number) => ({ factor, subject: 'floor' });
const atMost = (metric: string, bound: Pick<Target, 'times' | 'plus' | 'of'>, subject = 'bottled'): Target => ({
  metric,
  subject,
  relation: '<=',
  ...bound,
});
const atLeast = (metric: string, bound: Pick<Target, 'times' | 'plus'>): Target => ({
  metric,
  subject: 'mcp-bridge',
  relation: '>=',
  ...bound,
});
const none = (metric: string, subject = 'bottled') => atMost(metric, { of: 'worst', plus: 0 }, subject);
const whole = (subject: string) => ['torn', 'lost', 'reordered'].map((metric) => none(metric, subject));

/** What the project promises. A run reports whether it holds; no test depends on it. */
export const TARGETS: readonly Target[] = [
  atMost('boot of 5', { times: floor(1.5) }),
  atMost('boot of 500', { times: floor(1.3) }),
  atMost('respawn of 1', { times: floor(2) }),
  atMost('respawn of 100', { times: floor(1.3) }),
  atMost('stop of 5', { times: floor(2) }),
  atMost('stop of 100', { times: floor(2) }),
  { metric: 'logs of 1', subject: 'bottled', relation: '>=', times: floor(0.8) },
  { metric: 'logs of 5', subject: 'bottled', relation: '>=', times: floor(0.8) },
  { metric: 'logs of 1', subject: 'bottled-json', relation: '>=', times: floor(0.4) },
  { metric: 'logs of 5', subject: 'bottled-json', relation: '>=', times: floor(0.4) },
  ...whole('bottled'),
  ...whole('bottled-json'),
  atMost('memory', { times: floor(1), plus: 12 }),
  atMost('growth over lines', { plus: NOISE.lines }),
  atMost('growth over restarts', { plus: NOISE.restarts }),
  atMost('idle processor', { plus: 1 }),
  atMost('zombies at a time, storm', { of: 'worst', plus: 200 }),
  none('left after 50 ms, storm'),
  none('codes lost, storm'),
  none('codes lost, once'),
  atMost('probe time', { plus: 5 }, PROBE),
  atMost('probe memory', { plus: 4 }, PROBE),
  { metric: 'requests at 16', subject: 'egress', relation: '>=', times: { factor: 1.8, subject: 'mockttp' } },
  atMost('p99 added at 16', { plus: 10 }, 'egress'),
  atMost('new host', { plus: 2 }, 'egress'),
  atMost('growth over transfers', { of: 'worst', plus: 100 }, 'egress'),
  atMost('slowest event, HTTP/1', { plus: 20 }, 'egress'),
  atMost('slowest event, HTTP/2', { plus: 20 }, 'egress'),
  ...BRIDGED.map((what) => atMost(`added at p50, ${what}`, { plus: 0.5 }, 'mcp-bridge')),
  ...BRIDGED.filter((what) => what.startsWith('bare')).map((what) => atLeast(`calls at 16, ${what}`, { plus: 3000 })),
  ...BRIDGED.flatMap((what) =>
    PEERS_OF_BRIDGE.map((subject) => atLeast(`calls at 16, ${what}`, { times: { factor: 1, subject } })),
  ),
  atMost('growth over calls', { plus: NOISE_OF_BRIDGE }, 'mcp-bridge'),
  ...['bare tool', 'SDK tool'].map((tool) =>
    atMost(`first call, ${tool}`, { times: { factor: 1.5, subject: 'direct stdio' } }, 'mcp-bridge'),
  ),
  ...PUSHES.map((push) => atMost(push, { times: { factor: 1.5, subject: 'http-backend' }, plus: 2 }, 'git-gate')),
];

/** A target and what the run says about it. */
export interface Verdict {
  readonly target: Target;
  readonly bound?: number;
  readonly value?: number;
  /** Undefined where it was not measured. */
  readonly holds?: boolean;
}

/** The summary of a metric of a subject, over all series that have it. */
export type Find = (metric: string, subject: string) => Summary | undefined;

export function judge(target: Target, find: Find): Verdict {
  const summary = find(target.metric, target.subject);
  const reference = target.times && find(target.metric, target.times.subject);
  if (summary === undefined || (target.times && reference === undefined)) return { target };
  const bound = (target.times && reference ? target.times.factor * reference.median : 0) + (target.plus ?? 0);
  const value = target.of === 'worst' ? summary.max : summary.median;
  return { target, bound, value, holds: target.relation === '<=' ? value <= bound : value >= bound };
}
