/** What the promise resolves with; undefined where it takes longer than `time` milliseconds or rejects: it goes on, and nobody waits. */
export async function within<T>(time: number, promise: Promise<T>): Promise<T | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), time);
  try {
    return await Promise.race([promise, over]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs `each` over all items, at most `most` at once. Rejects where one of them does. */
export async function inParallel<T>(
  most: number,
  items: Iterable<T>,
  each: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = [...items];
  async function work(): Promise<void> {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await each(item);
  }
  await Promise.all(Array.from({ length: Math.min(most, left.length) }, work));
}
