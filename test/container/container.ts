import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { BundleStatus, DaemonStatus } from '../../init/status.ts';
import { docker, sidecarsImage } from './engine.ts';

export interface RunOptions {
  /** Options of `docker run`, e.g. `--read-only`. */
  readonly options?: readonly string[];
  /** A bundle file to run in place of that of the image. */
  readonly bundle?: string;
  /** Arguments for `bottled run`. */
  readonly args?: readonly string[];
}

/** A container of the bundle image under test, run by docker itself. It is removed at the end of the test. */
export interface Container {
  readonly id: string;
  /** What `docker inspect` shows at this template. */
  inspect(template: string): Promise<string>;
  /** Everything that it has logged so far. */
  logs(): Promise<string>;
  /** Resolves as soon as the log matches so often. */
  saw(pattern: RegExp, times?: number): Promise<string>;
  exec(...command: readonly string[]): Promise<{ readonly code: number | undefined; readonly output: string }>;
  status(): Promise<BundleStatus>;
  daemon(name: string): Promise<DaemonStatus>;
  /** Resolves when docker shows this health; rejects where it ends before. */
  health(wanted: 'starting' | 'healthy' | 'unhealthy'): Promise<void>;
  /** Resolves when every daemon is ready. Healthy is less: that wants only those that are essential. */
  allReady(): Promise<void>;
  /** Its exit code as `docker inspect` shows it, once it has ended. */
  ended(): Promise<number>;
}

const PATIENCE_MS = 60_000;

/** Docker looks at its health every second, where the image says every five: tests wait for it. */
const EVERY_SECOND = ['--health-interval', '1s'] as const;

/** `docker run --detach` with the image of the bundle. */
export async function run(t: TestContext, { options = [], bundle, args = [] }: RunOptions = {}): Promise<Container> {
  const image = await sidecarsImage();
  const own = bundle === undefined ? { options: [], args: [] } : mounted(t, bundle);
  const id = await docker('run', '--detach', ...EVERY_SECOND, ...own.options, ...options, image, ...own.args, ...args);
  t.after(() => docker('rm', '--force', '--volumes', id));
  return containerOf(id);
}

/** A bundle file where a container can read it, whoever it runs as. */
function mounted(t: TestContext, bundle: string): { readonly options: string[]; readonly args: string[] } {
  const directory = mkdtempSync(join(tmpdir(), 'bottled-container-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'bundle.yaml');
  writeFileSync(file, bundle, { mode: 0o644 });
  return { options: ['--volume', `${file}:/test/bundle.yaml:ro`], args: ['--file', '/test/bundle.yaml'] };
}

/** The container with this id or name. */
export function containerOf(id: string): Container {
  const inspect = (template: string) => docker('inspect', '--format', template, id);
  const logs = async () => (await execa('docker', ['logs', id], { all: true })).all;
  const exec: Container['exec'] = async (...command) => {
    const { exitCode, all } = await execa('docker', ['exec', id, ...command], { all: true, reject: false });
    return { code: exitCode, output: all };
  };
  const status = async (): Promise<BundleStatus> => {
    const { code, output } = await exec('bottled', 'status', '--json');
    assert.equal(code, 0, output);
    return JSON.parse(output);
  };
  const health: Container['health'] = async (wanted) => {
    await until(
      async () => {
        const [shown, state] = (await inspect('{{.State.Health.Status}} {{.State.Status}}')).split(' ');
        if (shown === wanted) return true;
        if (state !== 'exited') return undefined;
        throw new Error(`it has ended before it was ${wanted}:\n${await logs()}`);
      },
      async () => `not ${wanted}: ${await inspect('{{json .State.Health}}')}\n${await logs()}`,
    );
  };
  return {
    id,
    inspect,
    logs,
    exec,
    status,
    async saw(pattern, times = 1) {
      const every = new RegExp(pattern, pattern.flags.includes('g') ? pattern.flags : `${pattern.flags}g`);
      return await until(
        async () => {
          const text = await logs();
          return [...text.matchAll(every)].length >= times ? text : undefined;
        },
        async () => `the log does not show ${pattern} ${times} times:\n${await logs()}`,
      );
    },
    async daemon(name) {
      const found = (await status()).daemons.find((daemon) => daemon.name === name);
      assert.ok(found, `there is no daemon ${name}`);
      return found;
    },
    health,
    async allReady() {
      await health('healthy');
      await until(async () => (await status()).daemons.every(({ ready }) => ready) || undefined, logs);
    },
    async ended() {
      await docker('wait', id);
      return Number(await inspect('{{.State.ExitCode}}'));
    },
  };
}

/** Asks until there is an answer; rejects with `otherwise` where there is none in a minute. */
export async function until<T>(ask: () => Promise<T | undefined>, otherwise: () => Promise<string>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(await otherwise());
    await sleep(50);
  }
}
