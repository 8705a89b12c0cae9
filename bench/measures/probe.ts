import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { idleDaemons, live } from '../life.ts';
import type { Bench, Series, Subject } from '../series.ts';

const PROBE = join(import.meta.dirname, '../../healthcheck/healthcheck');

/** One run of what a container's HEALTHCHECK runs, on a healthy bundle, beside the least that a shell and Node cost. */
export function probe(bench: Bench): readonly Series[] {
  let socket = '';
  let finish = () => {};
  let served: Promise<void> = Promise.resolve();
  const bottled = bench.contenders.find((contender) => contender.name === 'bottled');

  const cost = async (command: readonly string[]) => {
    const { stdout } = await promisify(execFile)(bench.workshop.mark, ['cost', ...command], {
      env: { ...process.env, BOTTLED_SOCKET: socket },
    });
    const [ns = Number.NaN, kib = Number.NaN, code] = stdout.split(' ').map(Number);
    return { code, values: { 'probe time': ns / 1e6, 'probe memory': kib / 1024 } };
  };
  const subject = (name: string, command: readonly string[]): Subject => ({
    name,
    rounds: bench.quick ? 15 : 41,
    trial: async () => {
      const { code, values } = await cost(command);
      if (code !== 0) throw new Error(`${name} ended with ${code}`);
      return values;
    },
  });

  return [
    {
      name: 'probe',
      about: 'one run of the HEALTHCHECK probe: wall time from spawn to exit, peak resident memory',
      metrics: [
        { name: 'probe time', unit: 'ms' },
        { name: 'probe memory', unit: 'MiB' },
      ],
      subjects: [
        ...(bottled && existsSync(PROBE) ? [subject('healthcheck/healthcheck', [PROBE])] : []),
        subject('sh -c :', ['sh', '-c', ':']),
        subject('node -e 0', [process.execPath, '-e', '0']),
      ],
      before: async () => {
        if (bottled === undefined) return;
        await new Promise<void>((resolve, reject) => {
          served = live(bench.workshop, bottled, idleDaemons(5), async (life) => {
            await life.running(5);
            socket = join(life.directory, 'control.sock');
            for (let tries = 0; tries < 100 && (await cost([PROBE])).code !== 0; tries++) await sleep(100);
            const finished = new Promise<void>((done) => {
              finish = done;
            });
            resolve();
            await finished;
          });
          served.catch(reject);
        });
      },
      after: async () => {
        finish();
        await served.catch(() => {});
      },
    },
  ];
}
