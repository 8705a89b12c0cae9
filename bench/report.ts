import type { Outcome, Series } from './series.ts';
import { type Summary, summarise } from './stats.ts';
import type { Find, Verdict } from './targets.ts';

/** A series and what it yielded. */
export interface Chapter {
  readonly series: Series;
  readonly outcomes: readonly Outcome[];
  /** How long it took. */
  readonly seconds: number;
}

/** Looks a summary up over all chapters; what several series yield under one name is taken together. */
export function finder(chapters: readonly Chapter[]): Find {
  return (metric, subject) =>
    summarise(
      chapters.flatMap(({ outcomes }) => outcomes.find((outcome) => outcome.subject === subject)?.values[metric] ?? []),
    );
}

const FLOOR = 'floor';

/** Units of what is only counted: a column beside does not name them. */
const COUNTED: ReadonlySet<string> = new Set(['', 'lines']);

/** The tables of one series, as text. */
export function chapterText({ series, outcomes, seconds }: Chapter): string {
  const heading = `${series.name}: ${series.about}${series.skipped ? '' : ` (${Math.round(seconds)} s)`}\n`;
  if (series.skipped !== undefined) return `${heading}  skipped: ${series.skipped}\n`;
  const against = series.base ?? FLOOR;
  const tables = series.metrics.flatMap((metric, index) => {
    if (metric.beside) return [];
    const rest = series.metrics.slice(index + 1);
    const end = rest.findIndex((other) => !other.beside);
    const beside = end < 0 ? rest : rest.slice(0, end);
    const base = summarise(outcomes.find((outcome) => outcome.subject === against)?.values[metric.name] ?? []);
    const rows = outcomes.map((outcome) => {
      const summary = summarise(outcome.values[metric.name] ?? []);
      if (summary === undefined) return [outcome.subject, '0'];
      const { n, min, median, max } = summary;
      const ratio = base === undefined || base.median === 0 ? '' : (median / base.median).toFixed(2);
      const others = beside.map((other) => number(summarise(outcome.values[other.name] ?? [])?.max));
      return [outcome.subject, String(n), number(min), number(median), number(max), ratio, ...others];
    });
    const besides = beside.map((other) =>
      COUNTED.has(other.unit) ? plain(other.name) : `${plain(other.name)}, ${other.unit}`,
    );
    const unit = metric.unit === '' ? plain(metric.name) : `${plain(metric.name)}, ${metric.unit}`;
    return [table([[unit, 'n', 'min', 'median', 'max', `× ${against}`, ...besides], ...rows])];
  });
  const failures = outcomes
    .filter((outcome) => outcome.failure !== undefined)
    .map((outcome) => `  ${outcome.subject} failed: ${outcome.failure}\n`);
  return [heading, ...tables, ...failures].join('');
}

/** "zombies at a time, storm" is one metric beside "…, once"; its table says which. */
function plain(name: string): string {
  return name.replace(/, (storm|once)$/, '');
}

/** The promises, each with its bound and whether it holds. */
export function verdictsText(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ target, bound, value, holds }) => {
    const times = target.times && `${target.times.factor} × ${target.times.subject}`;
    const plus = target.plus === undefined ? undefined : String(target.plus);
    const rule = `${target.relation === '<=' ? '≤' : '≥'} ${[times, plus].filter(Boolean).join(' + ')}`;
    const verdict = holds === undefined ? '–' : holds ? 'holds' : 'MISSED';
    return [verdict, target.subject, target.metric, target.of ?? 'median', number(value), rule, number(bound)];
  });
  return `targets\n${table([['', 'subject', 'metric', 'of', 'value', 'target', 'that is'], ...rows])}`;
}

function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  const isNumber = (at: number) => rows.slice(1).every((row) => /^[-–\d.]*$/.test(row[at] ?? ''));
  const numeric = widths.map((_, at) => isNumber(at));
  return rows
    .map((row) =>
      row.map((cell, at) => (numeric[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join('  '),
    )
    .map((line) => `  ${line.trimEnd()}\n`)
    .join('');
}

/** Everything for a machine, one entry per metric and subject. */
export function results(chapters: readonly Chapter[]) {
  return chapters.flatMap(({ series, outcomes }) =>
    outcomes.flatMap((outcome) =>
      series.metrics.flatMap((metric) => {
        const summary: Summary | undefined = summarise(outcome.values[metric.name] ?? []);
        if (summary === undefined) return [];
        return [{ series: series.name, metric: metric.name, unit: metric.unit, subject: outcome.subject, ...summary }];
      }),
    ),
  );
}
