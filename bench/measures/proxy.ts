import { runTask } from '../agent/run.ts';
import { processorTime } from '../proc.ts';
import type { Bench, Series } from '../series.ts';
import { proxySeries, type Stand } from './proxies.ts';

const CONNECTIONS = 16;

/** What only the full run measures. */
const MORE = [
  { name: 'p99 added at 1', unit: 'ms' },
  { name: 'posts of 2 KiB at 16', unit: '/s' },
];

/** Requests per second, what a proxy adds to their latency, and what a host costs that it has not seen. */
export function proxy(bench: Bench): readonly Series[] {
  const rounds = { full: 7, quick: 2, floor: { full: 3, quick: 1 }, peers: { full: 7, quick: 2 } };
  const about = `${CONNECTIONS} connections over CONNECT and TLS, each sends its next request when it has the answer of 1 KiB; p99 added to that of the origin itself, at ${CONNECTIONS} connections${bench.quick ? '' : ' and at one'}; CONNECT and TLS to a host that is new, less that to a known one`;
  const metrics = [
    { name: 'requests at 16', unit: '/s' },
    { name: 'processor per request', unit: 'µs', beside: true },
    { name: 'load generator busy', unit: '%', beside: true },
    { name: 'p99 added at 16', unit: 'ms' },
    { name: 'new host', unit: 'ms' },
    { name: 'known host', unit: 'ms', beside: true },
    ...(bench.quick ? [] : MORE),
  ] as const;
  return [
    proxySeries(bench, 'proxy', rounds, { name: 'proxy', about, metrics }, (stand) => measure(stand, bench.quick)),
  ];
}

async function measure(stand: Stand, quick: boolean): Promise<Readonly<Record<string, number>>> {
  const { place, directory, running } = stand;
  const scale = quick ? 0.5 : 1;
  const ask = (to: typeof place, method: 'GET' | 'POST', connections: number, window_ms: number) =>
    runTask(directory, {
      ...to,
      kind: 'requests',
      method,
      connections,
      warm_ms: 300,
      window_ms: window_ms * scale,
    });
  const isDirect = place.proxyPort === undefined;
  const straight = { ...place, proxyPort: undefined };

  const before = sum(running.pids, processorTime);
  const gets = await ask(place, 'GET', CONNECTIONS, 2_500);
  const perRequest = ((sum(running.pids, processorTime) - before) / gets.total) * 1000;
  const { fresh_ms, known_ms } = await runTask(directory, { ...place, kind: 'handshakes', pairs: quick ? 40 : 100 });
  const rates = {
    'requests at 16': gets.count / gets.seconds,
    'load generator busy': gets.busy,
    'known host': known_ms,
  };
  if (isDirect) return rates;
  const straightGets = await ask(straight, 'GET', CONNECTIONS, 1_000);
  const values = {
    ...rates,
    'processor per request': perRequest,
    'p99 added at 16': gets.p99_ms - straightGets.p99_ms,
    'new host': fresh_ms - known_ms,
  };
  if (quick) return values;
  const posts = await ask(place, 'POST', CONNECTIONS, 1_500);
  const single = await ask(place, 'GET', 1, 1_000);
  const straightSingle = await ask(straight, 'GET', 1, 500);
  return {
    ...values,
    'posts of 2 KiB at 16': posts.count / posts.seconds,
    'p99 added at 1': single.p99_ms - straightSingle.p99_ms,
  };
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}
