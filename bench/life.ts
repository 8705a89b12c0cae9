import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender, Daemon } from './contenders/contender.ts';
import { now, openStamps, type Stamp, type Stamps } from './stamps.ts';
import type { Workshop } from './workshop.ts';

/** One init, from its exec to its end. */
export interface Life {
  readonly directory: string;
  /** The process that was started: the init, or the wrapper around it. */
  readonly pid: number;
  readonly stamps: Stamps;
  /** Resolves with the stamps when the first `count` daemons run; `since`: only stamps from this index on count. */
  running(count: number, since?: number): Promise<readonly Stamp[]>;
  /** Asks the init to end; resolves with the time, in ms, until it and all its daemons are gone. */
  end(): Promise<number>;
}

/** What the commands of daemons need to know. */
export interface Stage {
  readonly mark: string;
  readonly fifo: string;
}

/** Runs an init on daemons, hands its life to `use`, and leaves nothing behind whatever happens. */
export async function live<T>(
  workshop: Workshop,
  contender: Contender,
  cast: (stage: Stage) => readonly Daemon[],
  use: (life: Life) => Promise<T>,
  wrapper: readonly string[] = [],
): Promise<T> {
  const directory = workshop.directory();
  const stamps = openStamps(directory);
  const log = join(directory, 'init.log');
  const output = openSync(log, 'a');
  try {
    const invocation = contender.prepare(directory, cast({ mark: workshop.mark, fifo: stamps.fifo }));
    const init = spawn(workshop.mark, ['exec', stamps.fifo, ...wrapper, ...invocation.command], {
      cwd: directory,
      env: { ...process.env, ...invocation.environment },
      stdio: ['ignore', output, output],
      detached: true,
    });
    let ending = false;
    const gone = new Promise<void>((resolve) => init.once('exit', () => resolve()));
    const early = new Promise<never>((_, reject) => {
      init.once('exit', (code, signal) => {
        if (!ending) reject(new Error(`the init ended with ${signal ?? code}`));
      });
    });
    if (init.pid === undefined) throw new Error('mark cannot be run');
    const { pid } = init;
    const life: Life = {
      directory,
      pid,
      stamps,
      running: (count, since = 0) =>
        stamps.wait(
          `${count} daemons`,
          () => {
            if (stamps.all.length - since < count) return undefined;
            const started = stamps.all.slice(since).filter((stamp) => stamp.name !== 'exec');
            return started.length >= count ? started : undefined;
          },
          DEADLINE + count * 20,
        ),
      async end() {
        ending = true;
        const from = now();
        process.kill(pid, contender.stopSignal);
        const timer = new AbortController();
        const late = sleep(DEADLINE, undefined, { signal: timer.signal }).then(() => {
          throw new Error(`was not gone ${DEADLINE / 1000} s after ${contender.stopSignal}`);
        });
        await Promise.race([Promise.all([gone, stamps.released()]), late]);
        const took = (now() - from) / 1e6;
        timer.abort();
        late.catch(() => {});
        return took;
      },
    };
    return await Promise.race([use(life), early]);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}${lastLine(log)}`);
  } finally {
    closeSync(output);
    workshop.sweep(directory);
    stamps.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const DEADLINE = 30_000;

function lastLine(log: string): string {
  const line = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1);
  return line ? `; its last line: ${line.slice(0, 200)}` : '';
}

/** d1…dN, each idle and restarted when it ends. */
export function idleDaemons(count: number): (stage: Stage) => readonly Daemon[] {
  return ({ mark, fifo }) =>
    Array.from({ length: count }, (_, index) => {
      const name = `d${index + 1}`;
      return { name, command: [mark, 'daemon', fifo, name], restart: true };
    });
}
