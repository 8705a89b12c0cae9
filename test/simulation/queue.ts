/** Things to come, by time; those of the same time in the order in which they were put. */
export interface Queue<T> {
  put(at: number, item: T): void;
  /** Time of the first; Infinity where there is none. */
  nextAt(): number;
  take(): { readonly at: number; readonly item: T } | undefined;
}

/** Kept sorted: the queue of one run holds a few dozen entries, so shifting them is cheaper than a heap. */
export function createQueue<T>(): Queue<T> {
  const entries: { readonly at: number; readonly item: T }[] = [];
  return {
    put: (at, item) => {
      let index = entries.length;
      while (index > 0 && (entries[index - 1]?.at ?? Number.NEGATIVE_INFINITY) > at) index--;
      entries.splice(index, 0, { at, item });
    },
    nextAt: () => entries[0]?.at ?? Number.POSITIVE_INFINITY,
    take: () => entries.shift(),
  };
}
