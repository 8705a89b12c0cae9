import { printable } from '../text/printable.ts';
import { readDecision } from './decision.ts';
import {
  KIND_OF_SOURCE,
  LARGEST_REPORT,
  LONGEST_JUSTIFICATION,
  type Report,
  reportHash,
  type Source,
} from './report.ts';
import { openSpool } from './spool.ts';

/** Where a daemon leaves reports, and where it reads what became of them. Absolute. */
export interface ReportPlaces {
  readonly spool: string;
  readonly decisions: string;
}

/** What a person is asked about. */
export interface Matter {
  /** Exactly what is decided. No secret; each is made one printable line of bounded length. */
  readonly facts: Readonly<Record<string, string>>;
  /** What is said beside, and decides nothing. */
  readonly justification: string;
}

/** What a person says to it. Only `approved` is a yes. */
export type Answer =
  | { readonly kind: 'approved'; readonly id: string; readonly by: string; readonly reason: string }
  | { readonly kind: 'rejected'; readonly id: string; readonly by: string; readonly reason: string }
  /** Not yet, or not in time. `id` undefined: supervise has not taken it in so far. */
  | { readonly kind: 'unanswered'; readonly id: string | undefined }
  /** Nobody could be asked; the reason ends a sentence. */
  | { readonly kind: 'not-asked'; readonly reason: string };

export interface AskOptions {
  /** How long to wait. Milliseconds. */
  readonly wait_ms: number;
  /** Nobody waits any more. */
  readonly signal: AbortSignal;
  /** An answer that comes later is of no use: what waits for the operator expires with the wait. */
  readonly isOnce: boolean;
}

/** Asks the operator, by way of supervise. Never throws or rejects: what fails is no answer. */
export interface Reporter {
  /** Tells of something, once: what has been said to it so far. */
  tell(matter: Matter): Answer;
  /** Tells of something and waits for the answer. */
  ask(matter: Matter, options: AskOptions): Promise<Answer>;
}

export interface ReporterOptions {
  readonly source: Source;
  readonly places: ReportPlaces;
  readonly clock: () => number;
}

const LOOK_EVERY_MS = 150;
/** supervise takes reports in several times a second, unless it is gone or has too many of this daemon. */
const TAKE_IN_MS = 15_000;
const LONGEST_FACT = 4000;
/** Bytes that the file of a report has beside its facts and its justification. */
const FRAME = 1024;

export function createReporter({ source, places, clock }: ReporterOptions): Reporter {
  const read = (hash: string) => readDecision(places.decisions, source, hash);
  const spool = openSpool({
    directory: places.spool,
    clock,
    isTaken: (hash) => {
      const found = read(hash);
      return found.ok && found.decision !== undefined;
    },
  });
  /** Waits by hash: the report stays while anyone waits. */
  const waiting = new Map<string, number>();

  /** What was said since `since`; a silence of before is none, since it can be asked about again. */
  function standing(hash: string, since: number): Answer | undefined {
    const found = read(hash);
    if (!found.ok) return { kind: 'not-asked', reason: found.reason };
    const { decision } = found;
    if (decision === undefined) return undefined;
    switch (decision.verdict) {
      case 'pending':
        return { kind: 'unanswered', id: decision.id };
      case 'expired':
        return Date.parse(decision.time) < since ? undefined : { kind: 'rejected', ...saidBy(decision) };
      default:
        return { kind: decision.verdict, ...saidBy(decision) };
    }
  }

  /** It is left also where it was answered: supervise knows best whether that answer still holds. */
  function tell(matter: Matter): Answer {
    const report = reportOf(source, matter);
    if (report === undefined) return TOO_LARGE;
    const before = standing(reportHash(report), clock());
    if (before?.kind === 'not-asked') return before;
    const left = spool.leave(report);
    if (before !== undefined) return before;
    return left.ok ? { kind: 'unanswered', id: undefined } : { kind: 'not-asked', reason: left.reason };
  }

  async function ask(matter: Matter, { wait_ms, signal, isOnce }: AskOptions): Promise<Answer> {
    const began = clock();
    const until = isOnce ? new Date(began + wait_ms).toISOString() : undefined;
    const report = reportOf(source, matter, until);
    if (report === undefined) return TOO_LARGE;
    const hash = reportHash(report);
    const before = standing(hash, began);
    if (before !== undefined && before.kind !== 'unanswered') return before;
    const left = spool.leave(report);
    if (!left.ok && before === undefined) return { kind: 'not-asked', reason: left.reason };
    waiting.set(hash, (waiting.get(hash) ?? 0) + 1);
    try {
      return await answerTo(hash, began, wait_ms, signal);
    } finally {
      const others = (waiting.get(hash) ?? 1) - 1;
      if (others > 0) waiting.set(hash, others);
      else {
        waiting.delete(hash);
        spool.withdraw(hash);
      }
    }
  }

  async function answerTo(hash: string, began: number, wait_ms: number, signal: AbortSignal): Promise<Answer> {
    let id: string | undefined;
    for (;;) {
      const answer = standing(hash, began);
      if (answer !== undefined && answer.kind !== 'unanswered') return answer;
      id = answer?.id ?? id;
      const waited = clock() - began;
      if (signal.aborted || waited >= wait_ms) return { kind: 'unanswered', id };
      if (id === undefined && waited >= TAKE_IN_MS) return NOT_TAKEN_IN;
      await pause(Math.min(LOOK_EVERY_MS, wait_ms - waited), signal);
    }
  }

  return { tell, ask };
}

const TOO_LARGE: Answer = { kind: 'not-asked', reason: 'there is too much to tell' };
const NOT_TAKEN_IN: Answer = {
  kind: 'not-asked',
  reason: 'supervise does not take it in now: it does not run, or too much waits for the operator',
};

/** What an agent may read of an answer that is no yes, as a sentence without a stop. */
export function tellAnswer(answer: Exclude<Answer, { readonly kind: 'approved' }>): string {
  switch (answer.kind) {
    case 'rejected':
      return `the operator said no (${answer.id}): ${printable(answer.reason, 400)}`;
    case 'unanswered':
      return `the operator was asked${answer.id === undefined ? '' : ` (${answer.id})`} and has not answered yet`;
    case 'not-asked':
      return `the operator could not be asked: ${printable(answer.reason, 400)}`;
  }
}

/** Undefined where it is too large for a report. */
function reportOf(source: Source, { facts, justification }: Matter, until?: string): Report | undefined {
  const plain = Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, printable(value, LONGEST_FACT)] as const),
  );
  const report = {
    kind: KIND_OF_SOURCE[source],
    facts: plain,
    justification: printable(justification, LONGEST_JUSTIFICATION / 4),
    ...(until === undefined ? {} : { until }),
  };
  return Buffer.byteLength(JSON.stringify(report)) + FRAME > LARGEST_REPORT ? undefined : report;
}

function saidBy({ id, by, reason }: { readonly id: string; readonly by: string; readonly reason: string }) {
  return { id, by, reason };
}

/** Resolves after that time, or at once where `signal` is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
