import type { Contender } from '../contenders/contender.ts';
import { idleDaemons, live } from '../life.ts';
import { type Bench, type Rounds, type Series, subjects } from '../series.ts';

/** From the exec of the init to the last daemon's first instruction. */
export function boot(bench: Bench): readonly Series[] {
  const series = (count: number, rounds: Rounds): Series => ({
    name: `boot of ${count}`,
    about: `exec of the init to the first instruction of the last of ${count} daemons`,
    metrics: [{ name: `boot of ${count}`, unit: 'ms' }],
    subjects: subjects(bench, 'boot', rounds, async (contender) => ({
      [`boot of ${count}`]: await bootTime(bench, contender, count),
    })),
  });
  return [series(5, { full: 15, quick: 7, peers: { full: 7, quick: 2 } }), series(500, { full: 7, quick: 3 })];
}

function bootTime(bench: Bench, contender: Contender, count: number): Promise<number> {
  return live(bench.workshop, contender, idleDaemons(count), async (life) => {
    const daemons = await life.running(count);
    const exec = life.stamps.all.find((stamp) => stamp.name === 'exec');
    const last = Math.max(...daemons.map((daemon) => daemon.ns));
    return (last - (exec?.ns ?? Number.NaN)) / 1e6;
  });
}
