/** What an audit looks at, in the order of its table. */
export const AREAS = [
  'programs',
  'configuration',
  'data',
  'ports',
  'certificates',
  'health',
  'images',
  'leftovers',
] as const;

export type Area = (typeof AREAS)[number];

/**
 * `ok`: as declared. `drift`: otherwise than declared. `missing`: declared and not there. `unknown`: it could not be looked at, or there is
 * nothing to compare it with; that alone is no drift.
 */
export const OUTCOMES = ['ok', 'drift', 'missing', 'unknown'] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** One line of the audit. */
export interface Row {
  readonly area: Area;
  /** What was looked at: a program, a file, a port, a daemon. */
  readonly what: string;
  readonly status: Outcome;
  /** What is there, and what was declared where that is something else. */
  readonly found: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly remedy: string;
}

export function ok(area: Area, what: string, found: string): Row {
  return { area, what, status: 'ok', found, remedy: '' };
}

export function drift(area: Area, what: string, found: string, remedy: string): Row {
  return { area, what, status: 'drift', found, remedy };
}

export function missing(area: Area, what: string, found: string, remedy: string): Row {
  return { area, what, status: 'missing', found, remedy };
}

export function unknown(area: Area, what: string, found: string, remedy: string): Row {
  return { area, what, status: 'unknown', found, remedy };
}

/** Whether these rows call for somebody to act. */
export function isDrifted(rows: readonly Row[]): boolean {
  return rows.some(({ status }) => status === 'drift' || status === 'missing');
}

/** How many rows there are of each outcome. */
export function countOutcomes(rows: readonly Row[]): Readonly<Record<Outcome, number>> {
  const count = (wanted: Outcome): number => rows.filter(({ status }) => status === wanted).length;
  return { ok: count('ok'), drift: count('drift'), missing: count('missing'), unknown: count('unknown') };
}

/** What to do where something may not be looked at. Root in the bundle's container may have none of its rights there. */
export const LOOK_AS_ROOT = 'run the audit as root with the capability DAC_OVERRIDE';
