import { runTask } from '../agent/run.ts';
import { peakResidentSet, resetPeak, residentSet } from '../proc.ts';
import type { Bench, Series } from '../series.ts';
import { proxySeries, type Stand } from './proxies.ts';

const MIB = 1024 * 1024;
const KINDS = [
  { version: 1, direction: 'down' },
  { version: 1, direction: 'up' },
  { version: 2, direction: 'down' },
  { version: 2, direction: 'up' },
] as const;

/** How much a proxy grows over big bodies both ways, and how fast they pass. */
export function transfer(bench: Bench): readonly Series[] {
  const each = (bench.quick ? 48 : 768) * MIB;
  const rounds = { full: 3, quick: 1, floor: { full: 1, quick: 1 }, peers: { full: 1, quick: 1 } };
  const metrics = [
    { name: 'growth over transfers', unit: 'MiB' },
    { name: 'resident before', unit: 'MiB', beside: true },
    { name: 'peak', unit: 'MiB', beside: true },
    ...KINDS.map((kind) => ({ name: `${kind.direction}, HTTP/${kind.version}`, unit: 'MB/s' })),
  ] as const;
  const about = `${each / MIB} MiB down and up, over HTTP/1.1 and HTTP/2, ${(each * 4) / MIB} MiB in all, through a fresh proxy; its highest resident set from then on less that after its first requests`;
  const series = { name: 'transfer', about, metrics };
  return [proxySeries(bench, 'transfer', rounds, series, (stand) => measure(stand, each), true)];
}

async function measure({ place, directory, running }: Stand, bytes: number): Promise<Readonly<Record<string, number>>> {
  const kinds = place.proxyPort === undefined ? KINDS.filter(({ version }) => version === 1) : KINDS;
  const { pids } = running;
  const before = sum(pids, residentSet);
  for (const pid of pids) resetPeak(pid);
  const values: Record<string, number> = {};
  for (const kind of kinds) {
    const { seconds } = await runTask(directory, { ...place, ...kind, kind: 'transfer', bytes });
    values[`${kind.direction}, HTTP/${kind.version}`] = bytes / 1e6 / seconds;
  }
  if (pids.length === 0) return values;
  const peak = sum(pids, peakResidentSet);
  return { ...values, 'growth over transfers': peak - before, 'resident before': before, peak };
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}
