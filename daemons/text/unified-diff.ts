/** Lines around a change that are shown with it. */
const CONTEXT = 3;
/** Differences beyond this are not worth the time to find the shortest way: all is shown as changed. */
const MOST_EDITS = 2_000;

type Edit = { readonly sign: ' ' | '-' | '+'; readonly line: string };

/** What changes from one text to the other, as `diff -u` shows it; empty where nothing does. `undefined`: there is no such file. */
export function unifiedDiff(name: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return '';
  const edits = editsBetween(linesOf(before), linesOf(after));
  const head = [
    `--- ${before === undefined ? '/dev/null' : `a/${name}`}`,
    `+++ ${after === undefined ? '/dev/null' : `b/${name}`}`,
  ];
  return `${[...head, ...hunks(edits)].join('\n')}\n`;
}

/** Each line with its end, so that a missing end of the last line counts as a difference. */
function linesOf(text: string | undefined): readonly string[] {
  return text?.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function hunks(edits: readonly Edit[]): string[] {
  const changed = edits.flatMap(({ sign }, index) => (sign === ' ' ? [] : [index]));
  const lines: string[] = [];
  let [before, after, done] = [0, 0, 0];
  for (let at = 0; at < changed.length; ) {
    const start = Math.max(done, (changed[at] ?? 0) - CONTEXT);
    let last = changed[at] ?? 0;
    while (at < changed.length && (changed[at] ?? 0) - last <= 2 * CONTEXT) last = changed[at++] ?? last;
    const end = Math.min(edits.length, last + CONTEXT + 1);
    before += start - done;
    after += start - done;
    const hunk = edits.slice(start, end);
    const [removed, added] = [count(hunk, '+'), count(hunk, '-')];
    lines.push(`@@ -${range(before, removed)} +${range(after, added)} @@`, ...hunk.flatMap(shown));
    before += removed;
    after += added;
    done = end;
  }
  return lines;
}

/** Lines of a hunk on the side where those with `without` are not. */
function count(hunk: readonly Edit[], without: '+' | '-'): number {
  return hunk.filter(({ sign }) => sign !== without).length;
}

function range(from: number, length: number): string {
  return length === 1 ? String(from + 1) : `${length === 0 ? from : from + 1},${length}`;
}

function shown({ sign, line }: Edit): string[] {
  return line.endsWith('\n') ? [`${sign}${line.slice(0, -1)}`] : [`${sign}${line}`, '\\ No newline at end of file'];
}

function editsBetween(before: readonly string[], after: readonly string[]): readonly Edit[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  return [
    ...same(before.slice(0, start)),
    ...shortest(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...same(before.slice(before.length - end)),
  ];
}

function same(lines: readonly string[]): Edit[] {
  return lines.map((line) => ({ sign: ' ', line }));
}

/** The shortest edit script (E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986). */
function shortest(before: readonly string[], after: readonly string[]): Edit[] {
  const reached = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let edits = 0; edits <= Math.min(before.length + after.length, MOST_EDITS); edits += 1) {
    trace.push(new Map(reached));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = isDown(reached, diagonal, edits) ? at(reached, diagonal + 1) : at(reached, diagonal - 1) + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x += 1;
      reached.set(diagonal, x);
      if (x >= before.length && x - diagonal >= after.length) return walkBack(trace, before, after);
    }
  }
  return [...before.map((line): Edit => ({ sign: '-', line })), ...after.map((line): Edit => ({ sign: '+', line }))];
}

function at(reached: ReadonlyMap<number, number>, diagonal: number): number {
  return reached.get(diagonal) ?? -1;
}

function isDown(reached: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean {
  return diagonal === -edits || (diagonal !== edits && at(reached, diagonal - 1) < at(reached, diagonal + 1));
}

function walkBack(
  trace: readonly ReadonlyMap<number, number>[],
  before: readonly string[],
  after: readonly string[],
): Edit[] {
  const edits: Edit[] = [];
  let [x, y] = [before.length, after.length];
  for (let step = trace.length - 1; step >= 0; step -= 1) {
    const reached = trace[step] ?? new Map();
    const diagonal = x - y;
    const from = isDown(reached, diagonal, step) ? diagonal + 1 : diagonal - 1;
    const fromX = step === 0 ? 0 : at(reached, from);
    const fromY = step === 0 ? 0 : fromX - from;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      edits.push({ sign: ' ', line: before[x] ?? '' });
    }
    if (step === 0) break;
    if (x > fromX) edits.push({ sign: '-', line: before[fromX] ?? '' });
    else edits.push({ sign: '+', line: after[fromY] ?? '' });
    [x, y] = [fromX, fromY];
  }
  return edits.reverse();
}
