import { setTimeout as sleep } from 'node:timers/promises';
import { idleDaemons, live } from '../life.ts';
import { type Bench, type Rounds, type Series, subjects } from '../series.ts';

/** From the signal that ends the init until it and all its daemons are gone. */
export function stop(bench: Bench): readonly Series[] {
  const series = (count: number, rounds: Rounds): Series => ({
    name: `stop of ${count}`,
    about: `SIGTERM (runit: SIGHUP) until the init and its ${count} daemons are gone; the daemons die of it at once`,
    metrics: [{ name: `stop of ${count}`, unit: 'ms' }],
    subjects: subjects(bench, 'stop', rounds, (contender) =>
      live(bench.workshop, contender, idleDaemons(count), async (life) => {
        await life.running(count);
        await sleep(Math.max(300, contender.settle));
        return { [`stop of ${count}`]: await life.end() };
      }),
    ),
  });
  return [series(5, { full: 15, quick: 7, peers: { full: 7, quick: 1 } }), series(100, { full: 7, quick: 3 })];
}
