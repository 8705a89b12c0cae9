import { createGauge, createObservableCounter, type Family, type Labels } from '../metrics/exposition.ts';
import type { SecondOpinions } from './opinion/second-opinions.ts';
import type { Desk } from './queue/desk.ts';

/** Everything that is measured, in the text format of Prometheus. `sessions`: MCP sessions that are open. */
export function createMetrics(
  desk: Desk,
  sessions: () => number,
  opinions: SecondOpinions | undefined,
): { render(): string } {
  const families = [
    createGauge('supervise_proposals', 'Proposals that are kept, by status and kind.', () => byStatus(desk)),
    createObservableCounter('supervise_proposals_total', 'Proposals since the log began.', () => desk.state.created),
    createObservableCounter('supervise_refused_total', 'Proposals beyond a limit, refused.', () => desk.counts.refused),
    createObservableCounter('supervise_merged_total', 'Proposals that were made already.', () => desk.counts.merged),
    createGauge('supervise_log_records', 'Number of the last record of the log.', () => desk.head.seq),
    createGauge('supervise_log_read_only', '1 while nothing can be decided.', () =>
      desk.readOnly === undefined ? 0 : 1,
    ),
    createGauge('supervise_sessions', 'MCP sessions of clients before 2026-07-28.', sessions),
    ...(opinions === undefined ? [] : familiesOf(opinions)),
  ];
  return { render: () => families.map((family) => family.render()).join('') };
}

function familiesOf(opinions: SecondOpinions): readonly Family[] {
  return [
    createGauge('supervise_model_ready', '1 while the model for second opinions answers.', () =>
      opinions.state === 'ready' ? 1 : 0,
    ),
    createObservableCounter(
      'supervise_opinions_total',
      'Second opinions since the start, by what came of them.',
      () => [
        [{ result: 'given' }, opinions.counts.given],
        [{ result: 'none' }, opinions.counts.none],
      ],
    ),
  ];
}

function byStatus({ state }: Desk): readonly (readonly [Labels, number])[] {
  const counts = new Map<string, [Labels, number]>();
  for (const { proposal } of state.entries.values()) {
    const { status, kind } = proposal;
    const known = counts.get(`${status} ${kind}`);
    counts.set(`${status} ${kind}`, [{ status, kind }, (known?.[1] ?? 0) + 1]);
  }
  return [...counts.values()];
}
