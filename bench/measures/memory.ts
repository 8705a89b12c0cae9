import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender, Daemon } from '../contenders/contender.ts';
import { idleDaemons, type Life, live, type Stage } from '../life.ts';
import { family, processorTime, programOf, uniqueSet } from '../proc.ts';
import { type Bench, type Series, subjects } from '../series.ts';

/**
 * Memory and processor of the init, its helpers included, its daemons not. While memory is measured, another process maps
 * every page of the node binary, so that no page of it counts as private to an init, whichever pages that init touches.
 */
export function memory(bench: Bench): readonly Series[] {
  let holder: ChildProcess | undefined;
  const held = {
    before: async () => {
      holder = spawn(bench.workshop.mark, ['hold', process.execPath], { stdio: ['ignore', 'pipe', 'inherit'] });
      if (holder.stdout) await once(holder.stdout, 'data');
    },
    after: async () => {
      holder?.kill('SIGKILL');
    },
  };
  const window = bench.quick ? 3_000 : 20_000;
  return [
    {
      name: 'idle',
      about: `five idle daemons: unique set of the init, then its processor time over ${window / 1000} s`,
      metrics: [
        { name: 'memory', unit: 'MiB' },
        { name: 'idle processor', unit: '%' },
      ],
      subjects: subjects(bench, 'memory', { full: 3, quick: 1, peers: { full: 3, quick: 1 } }, (contender) =>
        idle(bench, contender, window),
      ),
      together: true,
      ...held,
    },
    {
      name: 'growth over lines',
      about: 'lowest unique set within a second million lines less that within the first',
      metrics: [{ name: 'growth over lines', unit: 'MiB' }],
      subjects: subjects(bench, 'memory', { full: 3, quick: 0 }, async (contender) => ({
        'growth over lines': await live(bench.workshop, contender, writers, (life) => growth(life, 1_000, 5_000)),
      })),
      ...(bench.quick && { skipped: 'only in the full run' }),
      ...held,
    },
    {
      name: 'growth over restarts',
      about: 'lowest unique set within a second 20,000 restarts less that within the first',
      metrics: [{ name: 'growth over restarts', unit: 'MiB' }],
      subjects: subjects(bench, 'memory', { full: 1, quick: 0 }, async (contender) => ({
        'growth over restarts': await live(bench.workshop, contender, crashers, (life) => growth(life, 5_000, 20_000)),
      })),
      ...(bench.quick && { skipped: 'only in the full run' }),
      ...held,
    },
  ];
}

function idle(bench: Bench, contender: Contender, window: number) {
  return live(bench.workshop, contender, idleDaemons(5), async (life) => {
    await life.running(5);
    await sleep(3_000);
    const pids = family(life.pid).filter((pid) => programOf(pid) !== bench.workshop.mark);
    const sum = (of: (pid: number) => number) => pids.reduce((total, pid) => total + of(pid), 0);
    const memory = sum(uniqueSet);
    const before = sum(processorTime);
    await sleep(window);
    return { memory, 'idle processor': ((sum(processorTime) - before) / window) * 100 };
  });
}

/** Five daemons that write 200 lines and stamp, 2,200 times: 1,000 lines are five stamps. */
const writers = ({ mark, fifo }: Stage): readonly Daemon[] =>
  Array.from({ length: 5 }, (_, index) => {
    const name = `d${index + 1}`;
    return { name, command: [mark, 'lines', fifo, name, '200', '2200', '5'], restart: true };
  });

/** Five daemons that exit with 1 at once. */
const crashers = ({ mark, fifo }: Stage): readonly Daemon[] =>
  Array.from({ length: 5 }, (_, index) => {
    const name = `d${index + 1}`;
    return { name, command: [mark, 'flash', fifo, name, '1', '0'], restart: true };
  });

/**
 * How much memory stays, in MiB: the lowest unique set within a second stretch of `length` stamps less that within the first,
 * which begins after `warm` stamps. The lowest, because garbage comes and goes, and a leak is what never goes.
 */
async function growth(life: Life, warm: number, length: number): Promise<number> {
  const first = await lowest(life, warm, warm + length);
  return (await lowest(life, warm + length, warm + 2 * length)) - first;
}

async function lowest(life: Life, from: number, to: number): Promise<number> {
  let low = Number.POSITIVE_INFINITY;
  for (let count = from; count <= to; count += (to - from) / 50) {
    await life.running(count);
    low = Math.min(low, uniqueSet(life.pid));
  }
  return low;
}
