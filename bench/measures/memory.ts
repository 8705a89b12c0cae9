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
      about: 'unique set after 2,000,000 lines less that after 1,000,000',
      metrics: [{ name: 'growth over lines', unit: 'MiB' }],
      subjects: subjects(bench, 'memory', { full: 3, quick: 0 }, async (contender) => ({
        'growth over lines': await live(bench.workshop, contender, writers, (life) => growth(life, 5_000, 10_000)),
      })),
      ...(bench.quick && { skipped: 'only in the full run' }),
      ...held,
    },
    {
      name: 'growth over restarts',
      about: 'unique set after 20,000 restarts less that after 10,000',
      metrics: [{ name: 'growth over restarts', unit: 'MiB' }],
      subjects: subjects(bench, 'memory', { full: 1, quick: 0 }, async (contender) => ({
        'growth over restarts': await live(bench.workshop, contender, crashers, (life) => growth(life, 10_000, 20_000)),
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

/** Five daemons that write 200 lines and stamp, 2,000 times: 1,000 lines are five stamps. */
const writers = ({ mark, fifo }: Stage): readonly Daemon[] =>
  Array.from({ length: 5 }, (_, index) => {
    const name = `d${index + 1}`;
    return { name, command: [mark, 'lines', fifo, name, '200', '2000', '5'], restart: true };
  });

/** Five daemons that exit with 1 at once. */
const crashers = ({ mark, fifo }: Stage): readonly Daemon[] =>
  Array.from({ length: 5 }, (_, index) => {
    const name = `d${index + 1}`;
    return { name, command: [mark, 'flash', fifo, name, '1', '0'], restart: true };
  });

/** Unique set after `to` stamps less that after `from`, in MiB. */
async function growth(life: Life, from: number, to: number): Promise<number> {
  await life.running(from);
  const before = uniqueSet(life.pid);
  await life.running(to);
  return uniqueSet(life.pid) - before;
}
