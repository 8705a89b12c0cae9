import { placesIn } from './node.ts';
import { type Finding, type Problem, problemOf } from './problem.ts';

/** More problems than this are counted, not told. */
const MOST_PROBLEMS = 100;

/** As many findings as are ever told; the rest is not even looked for. */
export function first(findings: Iterable<Finding>): readonly Finding[] {
  const some: Finding[] = [];
  for (const finding of findings) {
    some.push(finding);
    if (some.length > MOST_PROBLEMS) break;
  }
  return some;
}

/** Findings in the order of the file, each told once, with line and column. */
export function placed(findings: readonly Finding[], file: string, text: string): readonly Problem[] {
  if (findings.length === 0) return [];
  const placeOf = placesIn(text);
  const told = new Set<string>();
  return [...findings]
    .sort((a, b) => a.offset - b.offset)
    .filter(({ offset, message }) => {
      const isNew = !told.has(`${offset} ${message}`);
      told.add(`${offset} ${message}`);
      return isNew;
    })
    .map(({ offset, path, message, hint }) => ({
      file,
      ...placeOf(offset),
      path,
      message,
      ...(hint === undefined ? {} : { hint }),
    }));
}

/** Problems that fit on a screen or two. */
export function capped(problems: readonly Problem[], file: string): readonly Problem[] {
  if (problems.length <= MOST_PROBLEMS) return problems;
  return [
    ...problems.slice(0, MOST_PROBLEMS),
    problemOf(file, `more than ${MOST_PROBLEMS} problems`, 'mend these first'),
  ];
}
