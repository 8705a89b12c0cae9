/** A shorter value would turn ordinary words into stars. */
const SHORTEST_SECRET = 6;

/** Stands in the place of a secret. */
export const STARS = Buffer.from('***');

interface Occurrence {
  readonly start: number;
  readonly end: number;
}

/** A stretch of bytes that consists of one secret, or of several that overlap. */
interface Stretch extends Occurrence {
  /** Where the secret begins that reaches its end. */
  readonly last: number;
}

/** Keeps known secrets out of lines. */
export interface Mask {
  /** How many bytes after a place must be known to tell whether a secret lies across it. */
  readonly ahead: number;
  /** The same lines with `***` in the place of every secret; the argument itself where there is none. */
  apply(lines: Buffer): Buffer;
  /**
   * The stretch of secrets across the border `at` of a piece that begins at `from`. `resume` is where to go on when the whole
   * piece is masked: at a secret's begin, or after the only one.
   */
  across(line: Buffer, from: number, at: number): { readonly start: number; readonly resume: number } | undefined;
}

/**
 * Masks these values. A value of several lines is masked line by line. A value is also found in the form that JSON gives
 * it (`"` as `\"`). Values of less than 6 bytes are not masked.
 */
export function createMask(secrets: readonly string[]): Mask {
  const values = new Set(secrets.flatMap((secret) => secret.split(/\r?\n/)));
  const forms = new Set([...values].flatMap((value) => [value, JSON.stringify(value).slice(1, -1)]));
  const needles = [...forms].map((form) => Buffer.from(form)).filter((needle) => needle.length >= SHORTEST_SECRET);
  if (needles.length === 0) return NO_MASK;
  const reach = Math.max(...needles.map((needle) => needle.length)) - 1;
  /** Twice: the secret across a border is known then, and any other that begins within it. */
  const ahead = 2 * reach;

  function apply(lines: Buffer): Buffer {
    const present = needles.filter((needle) => lines.includes(needle));
    return present.length === 0 ? lines : replace(lines, findStretches(findAll(lines, present)));
  }

  function across(line: Buffer, from: number, at: number): { start: number; resume: number } | undefined {
    const seen = line.subarray(from, at + ahead);
    const border = at - from;
    const certain = findAll(seen, needles).filter(({ start }) => start < border + reach);
    const stretch = findStretches(certain).find(({ start, end }) => start < border && border < end);
    if (stretch === undefined) return undefined;
    return { start: from + stretch.start, resume: from + (stretch.last > stretch.start ? stretch.last : stretch.end) };
  }

  return { ahead, apply, across };
}

const NO_MASK: Mask = { ahead: 0, apply: (lines) => lines, across: () => undefined };

function findStretches(found: readonly Occurrence[]): readonly Stretch[] {
  const stretches: Stretch[] = [];
  for (const { start, end } of found) {
    const before = stretches.at(-1);
    if (before === undefined || start >= before.end) stretches.push({ start, end, last: start });
    else if (end >= before.end) stretches[stretches.length - 1] = { start: before.start, end, last: start };
  }
  return stretches;
}

/** In the order in which they begin. */
function findAll(bytes: Buffer, needles: readonly Buffer[]): readonly Occurrence[] {
  return needles.flatMap((needle) => findOne(bytes, needle)).sort((a, b) => a.start - b.start);
}

function findOne(bytes: Buffer, needle: Buffer): readonly Occurrence[] {
  const found: Occurrence[] = [];
  for (let start = bytes.indexOf(needle); start !== -1; start = bytes.indexOf(needle, start + 1)) {
    found.push({ start, end: start + needle.length });
  }
  return found;
}

function replace(bytes: Buffer, stretches: readonly Stretch[]): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (const { start, end } of stretches) {
    parts.push(bytes.subarray(from, start), STARS);
    from = end;
  }
  parts.push(bytes.subarray(from));
  return Buffer.concat(parts);
}
