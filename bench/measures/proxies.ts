import { join } from 'node:path';
import { runTask } from '../agent/run.ts';
import type { Place } from '../agent/task.ts';
import type { Origin, ProxyContender, RunningProxy } from '../proxies/proxy.ts';
import { type Bench, type Rounds, type Series, subjectsAmong } from '../series.ts';
import { freePort, type RunningServer, startServer } from '../server.ts';

/** A proxy under measurement, and where the load generator finds it and the origin. */
export interface Stand {
  readonly running: RunningProxy;
  readonly place: Place;
  /** For the load generator to work in. */
  readonly directory: string;
}

const WARM_MS = { full: 1_500, quick: 700 };

interface Stage {
  readonly directory: string;
  readonly origin: Origin;
  readonly server: RunningServer;
}

/**
 * A series over proxies, all in front of one origin. A proxy is started when its turn first comes and runs through all rounds,
 * because what counts is one that is warm; `anew`: it is started for each round.
 */
export function proxySeries(
  bench: Bench,
  measure: string,
  rounds: Rounds,
  series: Pick<Series, 'name' | 'about' | 'metrics'>,
  trial: (stand: Stand) => Promise<Readonly<Record<string, number>>>,
  anew = false,
): Series {
  const { workshop } = bench;
  const running = new Map<string, RunningProxy>();
  let stage: Stage | undefined;

  const open = async (): Promise<void> => {
    const directory = workshop.directory();
    const port = await freePort();
    const authority = join(directory, 'authority');
    const command = [process.execPath, join(import.meta.dirname, '../processes/origin.ts'), String(port), authority];
    const server = await startServer({ name: 'origin', command, port, directory });
    stage = { directory, server, origin: { port, certificateFile: join(authority, 'certificate.pem') } };
  };
  const close = async (): Promise<void> => {
    for (const proxy of running.values()) await proxy.stop();
    running.clear();
    await stage?.server.stop();
  };
  /** Code that runs for the first time is not what is measured. */
  const warm = (place: Place, directory: string) =>
    runTask(directory, {
      ...place,
      kind: 'requests',
      method: 'GET',
      connections: 16,
      warm_ms: 0,
      window_ms: WARM_MS[bench.quick ? 'quick' : 'full'],
    });
  const stand = async (proxy: ProxyContender): Promise<Stand> => {
    if (stage === undefined) throw new Error('there is no origin');
    const { directory, origin } = stage;
    const known = running.get(proxy.name);
    const one = known ?? (await proxy.start({ directory: workshop.directory(), origin }));
    running.set(proxy.name, one);
    const place = { proxyPort: one.port, originPort: origin.port };
    if (known === undefined) await warm(place, directory);
    return { running: one, directory, place };
  };
  const subjects = subjectsAmong(bench.proxies, bench.quick, measure, rounds, async (proxy) => {
    const on = await stand(proxy);
    try {
      return await trial(on);
    } finally {
      if (anew) {
        running.delete(proxy.name);
        await on.running.stop();
      }
    }
  });
  const none = subjects.length === 0 ? { skipped: 'no proxy takes part' } : {};
  return { ...series, subjects, base: 'mockttp', before: open, after: close, ...none };
}
