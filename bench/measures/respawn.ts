import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contenders/contender.ts';
import { idleDaemons, live } from '../life.ts';
import { type Bench, type Rounds, type Series, subjects } from '../series.ts';
import { now } from '../stamps.ts';

/** From SIGKILL to the first instruction of what replaces the killed. */
export function respawn(bench: Bench): readonly Series[] {
  const series = (victims: number, of: number, rounds: Rounds): Series => ({
    name: `respawn of ${victims}`,
    about: `SIGKILL of ${victims} of ${of} daemons to the first instruction of the last that replaces one, the first restart of its life`,
    metrics: [{ name: `respawn of ${victims}`, unit: 'ms' }],
    subjects: subjects(bench, 'respawn', rounds, async (contender) => ({
      [`respawn of ${victims}`]: await respawnTime(bench, contender, victims, of),
    })),
  });
  return [series(1, 5, { full: 15, quick: 7, peers: { full: 7, quick: 1 } }), series(100, 100, { full: 7, quick: 3 })];
}

function respawnTime(bench: Bench, contender: Contender, victims: number, of: number): Promise<number> {
  return live(bench.workshop, contender, idleDaemons(of), async (life) => {
    const daemons = await life.running(of);
    await sleep(contender.settle);
    const before = life.stamps.all.length;
    const killed = now();
    for (const daemon of daemons.slice(0, victims)) process.kill(daemon.pid, 'SIGKILL');
    const replacements = await life.running(victims, before);
    const last = Math.max(...replacements.map((daemon) => daemon.ns));
    return (last - killed) / 1e6;
  });
}
