/**
 * The figures of docs/image.md, as medians of ten: `node test/container/measure.ts`. Wants a machine that does nothing else.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { MAIN } from '../cli/bottled.ts';
import { containerOf, until } from './container.ts';
import { composeCommand, docker, sidecarsImage } from './engine.ts';

const ROUNDS = 10;

interface Round {
  /** From `docker run` until the init finds all five daemons ready. */
  readonly ready_ms: number;
  /** From `docker run` until docker shows the container as healthy. */
  readonly healthy_ms: number;
  readonly stop_ms: number;
  readonly memory_mib: number;
}

async function measure(image: string, options: readonly string[]): Promise<Round> {
  const start = Date.now();
  const id = await docker('run', '--detach', ...options, image);
  try {
    const container = containerOf(id);
    await container.health('healthy');
    const healthy_ms = Date.now() - start;
    const line = await until(
      async () => (await container.logs()).split('\n').find((text) => /"message":"healthy/.test(text)),
      () => container.logs(),
    );
    const ready_ms = Date.parse(JSON.parse(line).time) - start;
    const memory = (await container.status()).daemons.reduce((sum, { memory_bytes }) => sum + (memory_bytes ?? 0), 0);
    const stopping = Date.now();
    await docker('stop', id);
    return { ready_ms, healthy_ms, stop_ms: Date.now() - stopping, memory_mib: memory / 1024 ** 2 };
  } finally {
    await docker('rm', '--force', '--volumes', id);
  }
}

/** From `docker compose up` until the agent is started, which it is once the bundle is healthy; then until nothing is left. */
async function measureLayout(image: string, layout: 'bundle' | 'split'): Promise<{ up_ms: number; down_ms: number }> {
  if (composeCommand === undefined) throw new Error('needs docker compose');
  const [file, ...args] = composeCommand;
  const directory = mkdtempSync(join(tmpdir(), 'measured-bottle-'));
  const compose = (...more: readonly string[]) => execa(file, [...args, ...more], { cwd: directory });
  const bottle = {
    name: `measured-${process.pid}`,
    agent: { image, entrypoint: ['sleep'], command: ['infinity'], stop_grace_period: '0s' },
    sidecars: { image },
    git: { repos: {} },
    mcp: { governance: { mode: 'blocking' }, tools: [] },
  };
  writeFileSync(join(directory, 'bottle.yaml'), JSON.stringify(bottle));
  try {
    await execa(process.execPath, [MAIN, 'render', 'compose', '--layout', layout], { cwd: directory });
    const start = Date.now();
    await compose('up', '--detach');
    const up_ms = Date.now() - start;
    const ending = Date.now();
    await compose('down', '--volumes');
    return { up_ms, down_ms: Date.now() - ending };
  } finally {
    await compose('down', '--volumes').catch(() => undefined);
    rmSync(directory, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2);
}

const image = await sidecarsImage();
const WAYS = { 'as it is': [], 'probed every second': ['--health-interval', '1s'] };
for (const [way, options] of Object.entries(WAYS)) {
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measure(image, options));
  const figure = (key: keyof Round): number => median(rounds.map((round) => round[key]));
  console.log(
    `${way}: all ready after ${figure('ready_ms')} ms, healthy for docker after ${figure('healthy_ms')} ms, ` +
      `docker stop ${figure('stop_ms')} ms, memory of the daemons ${figure('memory_mib')} MiB`,
  );
}
for (const layout of ['bundle', 'split'] as const) {
  const rounds: Awaited<ReturnType<typeof measureLayout>>[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measureLayout(image, layout));
  const up = median(rounds.map(({ up_ms }) => up_ms));
  const down = median(rounds.map(({ down_ms }) => down_ms));
  console.log(`layout ${layout}: docker compose up until the agent runs ${up} ms, docker compose down ${down} ms`);
}
const layers = JSON.parse(await docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', image));
const size = Number(await docker('image', 'inspect', '--format', '{{.Size}}', image));
console.log(`image: ${Math.round(size / 1e6)} MB, ${layers.length} layers`);
const { stdout } = await execa('uptime');
console.log(stdout.trim());
