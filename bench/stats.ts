/** Smallest, middle and largest of some values. */
export interface Summary {
  readonly n: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Undefined where there are no values. */
export function summarise(values: readonly number[]): Summary | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const [low = min, high = max] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return { n: sorted.length, min, median: (low + high) / 2, max };
}
