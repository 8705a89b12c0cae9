import { fileURLToPath } from 'node:url';
import { execa, execaSync } from 'execa';
import { makeBaseImages } from './base-images.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const COMPOSE: readonly (readonly [string, ...string[]])[] = [
  ['docker', 'compose'],
  ['docker-compose'],
  [`${ROOT}node_modules/.cache/tools/docker-compose`],
];

// Its own cleaner is an image that would have to be pulled; each test removes what it has made.
process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true';

/** Why no container can be run here; false where an engine answers. For `skip` of a suite: one line says it for all its tests. */
export const noEngine: string | false = whyNoEngine();

function whyNoEngine(): string | false {
  const asked = execaSync('docker', ['version', '--format', '{{.Server.Version}}'], { reject: false, timeout: 20_000 });
  if (asked.exitCode === 0) return false;
  if (asked.code === 'ENOENT') return 'needs a container engine: there is no docker on PATH';
  return `needs a container engine: ${asked.stderr.trim().split('\n').at(-1) ?? 'docker does not answer'}`;
}

/** One command of docker: what it printed. Rejects where its exit code is not 0, with what it said. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await execa('docker', args, { timeout: 120_000 });
  return stdout.trim();
}

/** How Compose is called here: docker's plugin, or the program by itself, also where CI puts its tools. Undefined: not at all. */
export const composeCommand: readonly [string, ...string[]] | undefined = COMPOSE.find(
  ([file, ...args]) => execaSync(file, [...args, 'version'], { reject: false, timeout: 20_000 }).exitCode === 0,
);

let built: Promise<string> | undefined;

/**
 * The name of the image of the bundle, built from this tree on stand-ins for its base images (base-images.ts): in seconds where
 * only sources have changed since the last time, in two minutes on a new machine. `BOTTLED_TEST_IMAGE` names one to use as it is.
 */
export function sidecarsImage(): Promise<string> {
  built ??= buildImage();
  return built;
}

async function buildImage(): Promise<string> {
  const given = process.env.BOTTLED_TEST_IMAGE ?? '';
  if (given !== '') return given;
  const tag = 'bottled-sidecars:test';
  const bases = await makeBaseImages((line) => process.stderr.write(`${line}\n`));
  const buildArguments = Object.entries(bases).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  await execa('docker', ['build', '--quiet', '--file', 'Dockerfile.sidecars', '--tag', tag, ...buildArguments, '.'], {
    cwd: ROOT,
    timeout: 900_000,
  });
  return tag;
}
