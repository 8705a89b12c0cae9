import type { Exit } from '../../../init/lifecycle/event.ts';
import { type SignalName, signalNumber } from '../../../init/posix/signal-names.ts';
import { type Facts, type LastEnd, type Life, NEVER } from '../facts.ts';
import { isGoodExit, isGoodStop } from '../sequel.ts';
import { Violation } from '../violation.ts';
import type { Rule } from './rule.ts';

/** What a daemon may count by DESIGN 6's table: one code, or a few where the table leaves it open. */
interface Count {
  readonly name: string;
  readonly codes: readonly number[];
  readonly at: number;
}

/** DESIGN 6: the table, `worst`, `first`, `from`, and who decided. */
export const exitCodeIsTheTables: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'exit') return;
    if (facts.shutdown?.fault === true) {
      if (effect.code === 70) return;
      throw new Violation('an internal fault ends with 70', '6', String(effect.code));
    }
    const counts = [...facts.lives.values()].flatMap((life) => {
      const count = countOf(life, facts);
      if (!life.removed) return [count];
      // Whether one counts that was still being removed when the end came is left open; one that had left does not.
      return life.group !== 'none' || life.goneAt >= (facts.shutdown?.since ?? NEVER)
        ? [{ ...count, codes: [0, ...count.codes] }]
        : [];
    });
    const allowed = allowedCodes(facts.bundle.exit_code, counts);
    const table = counts.map(({ name, codes }) => `${name} ${codes.join('/')}`).join(', ');
    if (!allowed.includes(effect.code)) {
      throw new Violation(
        "the exit code is the table's",
        '6',
        `${effect.code}, not ${allowed.join('/')} (${facts.bundle.exit_code}: ${table})`,
      );
    }
    if (effect.code === 0) return;
    const decider = counts.find(({ name }) => name === effect.decidedBy);
    if (decider?.codes.includes(effect.code) === true) return;
    throw new Violation('the last line names who decided', '6', `${effect.decidedBy} for ${effect.code} (${table})`);
  },
};

function allowedCodes(rule: string, counts: readonly Count[]): readonly number[] {
  if (rule.startsWith('from:')) return counts.find(({ name }) => name === rule.slice('from:'.length))?.codes ?? [0];
  if (rule === 'worst') {
    const floor = Math.max(0, ...counts.map(({ codes }) => Math.min(...codes)));
    return [floor, ...counts.flatMap(({ codes }) => codes).filter((code) => code >= floor)];
  }
  const certain = Math.min(...counts.filter(({ codes }) => !codes.includes(0)).map(({ at }) => at), NEVER);
  const early = counts.filter(({ at }) => at <= certain).flatMap(({ codes }) => codes.filter((code) => code !== 0));
  return certain === NEVER ? [0, ...early] : early;
}

function countOf(life: Life, facts: Facts): Count {
  const { name, end } = life;
  const shutdownAt = facts.shutdown?.since ?? NEVER;
  if (life.incarnation === 0) return { name, codes: [0], at: NEVER };
  if (life.group === 'leader') return { name, codes: [137], at: facts.now };
  if (end === undefined) return { name, codes: [0], at: NEVER };
  const codes = [
    ...new Set(end.at > shutdownAt || end.duringShutdown ? codesOfLateEnd(life, end) : codesOfEarlyEnd(life, end)),
  ];
  return { name, codes, at: end.at };
}

/** "ended badly during the shutdown: its code or 128+n"; "had to be SIGKILLed after its grace: 137". */
function codesOfLateEnd(life: Life, end: LastEnd): readonly number[] {
  const raw = rawCode(end);
  if (end.exit === undefined) return [raw];
  const own = isGoodStop(end.exit, life.running) ? 0 : raw;
  if (end.sigkilled) return isSigkill(end.exit) ? [137] : [own, 137, ...(end.blamed ? [1, raw] : [])];
  if (isGoodExit(end.exit, life.running)) return end.blamed ? [0, 1, raw] : [0];
  // Not yet asked to stop, or stopped because it was unhealthy: whether its stop signal's code is a good end is left open.
  if (!end.stopAsked || end.blamed) return [own, raw];
  return [own];
}

/** What happened before the shutdown: "failed for good: its last code"; completed or stopped well: 0; in `backoff`: its last code. */
function codesOfEarlyEnd(life: Life, end: LastEnd): readonly number[] {
  const raw = rawCode(end);
  switch (life.status) {
    case 'completed':
      return [0];
    case 'stopped':
      if (end.ordered && isGoodStop(end.exit, life.running) && !end.sigkilled && !end.blamed) return [0];
      // Stopped by an operator after a bad end, or ended badly by his stop: DESIGN does not say whether that counts.
      return [0, raw, ...(end.sigkilled ? [137] : []), ...(end.blamed || raw === 0 ? [1] : [])];
    case 'failed':
      return raw === 0 || end.ordered || life.pardoned ? [0, 1, raw] : end.blamed ? [1, raw] : [raw];
    default:
      // Between two tries: its last code, which is a good one where it ended well and is to run always.
      return end.ordered || life.pardoned || isGoodExit(end.exit, life.running) ? [0, raw] : [raw];
  }
}

/** The code, or 128 + n; a program that could not be started: 127 not found, else 126. */
function rawCode({ exit, spawnError }: LastEnd): number {
  if (exit === undefined) return spawnError?.errno === 'ENOENT' ? 127 : 126;
  return 'code' in exit ? exit.code : 128 + signalNumber(exit.signal);
}

function isSigkill(exit: Exit): boolean {
  const kill: SignalName = 'SIGKILL';
  return 'signal' in exit && exit.signal === kill;
}
