/** What came within a window of time. */
export interface WindowDone {
  /** Answers within the window. */
  readonly count: number;
  readonly seconds: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Share of a processor that the load generator itself took, in per cent. */
  readonly busy: number;
}

/** Notes how long answers took, while it is open. */
export interface Window {
  /** An answer is there to what was sent then (`performance.now()`). */
  note(sentAt: number): void;
  /** Answers noted so far. */
  count(): number;
  /** Is open until `end` resolves. Rejects as `end` does, and where nothing came. */
  open(end: () => Promise<unknown>): Promise<WindowDone>;
}

export function createWindow(): Window {
  const latencies: number[] = [];
  let isOpen = false;
  return {
    note(sentAt) {
      if (isOpen) latencies.push(performance.now() - sentAt);
    },
    count: () => latencies.length,
    async open(end) {
      const cpu = process.cpuUsage();
      const from = performance.now();
      isOpen = true;
      await end();
      isOpen = false;
      const seconds = (performance.now() - from) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      const sorted = Float64Array.from(latencies).sort();
      if (sorted.length === 0) throw new Error('no answer came within the window');
      const quantile = (part: number) =>
        sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
      const busy = (user + system) / 1e4 / seconds;
      return { count: sorted.length, seconds, p50_ms: quantile(0.5), p99_ms: quantile(0.99), busy };
    },
  };
}
