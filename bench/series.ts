import type { BridgeContender } from './bridges/bridge.ts';
import type { Contender } from './contenders/contender.ts';
import type { Gate } from './gates/gate.ts';
import type { ProxyContender } from './proxies/proxy.ts';
import type { Workshop } from './workshop.ts';

/** Peers run in fewer series and rounds. */
export type Role = 'ours' | 'floor' | 'peer';

/** What a measure has to work with. */
export interface Bench {
  readonly workshop: Workshop;
  /** Those that can run here and were asked for. */
  readonly contenders: readonly Contender[];
  readonly proxies: readonly ProxyContender[];
  readonly gates: readonly Gate[];
  readonly bridges: readonly BridgeContender[];
  readonly quick: boolean;
}

/** One number that a trial yields. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  /** true: a column beside the metric before it, of which only the largest value is shown. */
  readonly beside?: true;
}

/** One who is measured: most often an init. */
export interface Subject {
  readonly name: string;
  readonly rounds: number;
  /** Yields a value for each metric that it can tell. A rejection ends this subject's part, with its message in the table. */
  trial(): Promise<Readonly<Record<string, number>>>;
}

/** Subjects that are measured in turns: A B C, A B C. */
export interface Series {
  readonly name: string;
  readonly about: string;
  readonly metrics: readonly Metric[];
  readonly subjects: readonly Subject[];
  /** The subject that the others are compared with; the floor where this is not given. */
  readonly base?: string;
  /** Why it cannot be run, if so. */
  readonly skipped?: string;
  /** true: all subjects at once, because what is measured does not depend on what else is idle. */
  readonly together?: true;
  /** Runs before the first and after the last trial. */
  readonly before?: () => Promise<void>;
  readonly after?: () => Promise<void>;
}

/** How often a subject is measured. */
export interface Rounds {
  readonly full: number;
  readonly quick: number;
  /** Of the floor, where it is to have other ones than ours. */
  readonly floor?: { readonly full: number; readonly quick: number };
  /** Of those that are neither ours nor the floor. Without it they do not take part. */
  readonly peers?: { readonly full: number; readonly quick: number };
}

/** The inits as subjects of the measure `name`. */
export function subjects(
  bench: Bench,
  measure: string,
  rounds: Rounds,
  trial: (contender: Contender) => Promise<Readonly<Record<string, number>>>,
): readonly Subject[] {
  return subjectsAmong(bench.contenders, bench.quick, measure, rounds, trial);
}

/** The same for whatever takes part. */
export function subjectsAmong<T extends Pick<Contender, 'name' | 'role' | 'only'>>(
  all: readonly T[],
  quick: boolean,
  measure: string,
  rounds: Rounds,
  trial: (one: T) => Promise<Readonly<Record<string, number>>>,
): readonly Subject[] {
  const mode = quick ? 'quick' : 'full';
  const roundsOf = ({ role }: T) => {
    if (role === 'ours') return rounds[mode];
    if (role === 'floor') return (rounds.floor ?? rounds)[mode];
    return rounds.peers?.[mode] ?? 0;
  };
  return all
    .filter((one) => one.only === undefined || one.only.includes(measure))
    .map((one) => ({ name: one.name, rounds: roundsOf(one), trial: () => trial(one) }))
    .filter((subject) => subject.rounds > 0);
}

/** What a subject yielded. */
export interface Outcome {
  readonly subject: string;
  readonly values: Readonly<Record<string, readonly number[]>>;
  /** Why it stopped taking part. */
  readonly failure?: string;
}

/** Runs all rounds of a series, subjects in turns. */
export async function run(series: Series): Promise<readonly Outcome[]> {
  const outcomes = series.subjects.map((subject) => ({
    subject: subject.name,
    values: Object.fromEntries(series.metrics.map((metric): [string, number[]] => [metric.name, []])),
    failure: undefined as string | undefined,
  }));
  const turn = async (subject: Subject, index: number) => {
    const outcome = outcomes[index];
    if (outcome === undefined || outcome.failure !== undefined) return;
    try {
      for (const [metric, value] of Object.entries(await subject.trial())) outcome.values[metric]?.push(value);
    } catch (error) {
      outcome.failure = error instanceof Error ? error.message : String(error);
    }
  };
  await series.before?.();
  try {
    const rounds = Math.max(0, ...series.subjects.map((subject) => subject.rounds));
    for (let round = 0; round < rounds; round++) {
      const taking = series.subjects.map((subject, index) => [subject, index] as const);
      const due = taking.filter(([subject]) => round < subject.rounds);
      if (series.together) await Promise.all(due.map(([subject, index]) => turn(subject, index)));
      else for (const [subject, index] of due) await turn(subject, index);
    }
  } finally {
    await series.after?.();
  }
  return outcomes.map(({ failure, ...outcome }) => (failure === undefined ? outcome : { ...outcome, failure }));
}
