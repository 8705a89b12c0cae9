import { runTask } from '../agent/run.ts';
import type { Bench, Series } from '../series.ts';
import { summarise } from '../stats.ts';
import { proxySeries } from './proxies.ts';

/** How long a server-sent event takes from the origin's write to the agent. */
export function sse(bench: Bench): readonly Series[] {
  const count = bench.quick ? 40 : 100;
  const rounds = { full: 5, quick: 1, peers: { full: 5, quick: 1 } };
  const metrics = ([1, 2] as const).flatMap((version) => [
    { name: `slowest event, HTTP/${version}`, unit: 'ms' },
    { name: `median event, HTTP/${version}`, unit: 'ms', beside: true as const },
  ]);
  const about = `${count} server-sent events 15 ms apart, from the write at the origin to the first byte at the agent; the slowest of a stream, the first one with its connection to the origin included`;
  return [
    proxySeries(bench, 'sse', rounds, { name: 'sse', about, metrics }, async ({ place, directory }) => {
      const values: Record<string, number> = {};
      for (const version of [1, 2] as const) {
        // The origin speaks HTTP/1.1 only, so that every proxy asks it the same way.
        if (version === 2 && place.proxyPort === undefined) continue;
        const { delays_ms } = await runTask(directory, { ...place, kind: 'events', version, count, gap_ms: 15 });
        const { median, max } = summarise(delays_ms) ?? { median: Number.NaN, max: Number.NaN };
        values[`slowest event, HTTP/${version}`] = max;
        values[`median event, HTTP/${version}`] = median;
      }
      return values;
    }),
  ];
}
