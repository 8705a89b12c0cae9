/**
 * The figures of docs/image.md, as medians of ten: `node test/container/measure.ts`. Wants a machine that does nothing else.
 */
import { execa } from 'execa';
import { containerOf, until } from './container.ts';
import { docker, sidecarsImage } from './engine.ts';

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
const layers = JSON.parse(await docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', image));
const size = Number(await docker('image', 'inspect', '--format', '{{.Size}}', image));
console.log(`image: ${Math.round(size / 1e6)} MB, ${layers.length} layers`);
const { stdout } = await execa('uptime');
console.log(stdout.trim());
