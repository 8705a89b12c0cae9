import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Gate, RunningGate } from '../gates/gate.ts';
import { type Bench, type Series, subjectsAmong } from '../series.ts';
import { writeSourceText } from '../source-text.ts';
import { now } from '../stamps.ts';

const MB = 50;
const ROUNDS = { full: 3, quick: 1, peers: { full: 3, quick: 1 } };

/** A push of new source text: through the gate, scanned, into the upstream repository; and straight into such a one. */
export function push(bench: Bench): readonly Series[] {
  return [series(bench, 100), { ...series(bench, 1500), ...(bench.quick && { skipped: 'only in the full run' }) }];
}

interface Stage {
  /** A bare repository with one commit. */
  readonly seed: string;
  /** A clone of it with one more commit, which holds the text. */
  readonly client: string;
  readonly upstreams: string;
  readonly names: readonly string[];
}

function series(bench: Bench, files: number): Series {
  const metric = `push of ${files} files`;
  const running = new Map<string, RunningGate>();
  let stage: Stage | undefined;
  let taken = 0;
  const run = async (gate: Gate) => {
    if (stage === undefined) throw new Error('there is nothing to push');
    const one = running.get(gate.name) ?? (await gate.start({ ...stage, directory: bench.workshop.directory() }));
    running.set(gate.name, one);
    const name = stage.names[taken++] ?? '';
    return { [metric]: await pushTime(stage, name, one.url(name)) };
  };
  const subjects = subjectsAmong(bench.gates, bench.quick, 'push', ROUNDS, run);
  return {
    name: metric,
    about: `git push over HTTP of one commit with ${MB} MB of source text in ${files} files, from its start to its end; git-gate scans it and pushes it on to the bare repository, http-backend is the bare repository`,
    metrics: [{ name: metric, unit: 's' }],
    subjects,
    base: 'http-backend',
    ...(subjects.length === 0 && { skipped: 'nobody who takes pushes takes part' }),
    before: async () => {
      const trials = subjects.reduce((sum, subject) => sum + subject.rounds, 0);
      stage = await prepare(bench.workshop.directory(), files, trials);
    },
    after: async () => {
      for (const gate of running.values()) await gate.stop();
      running.clear();
    },
  };
}

async function prepare(directory: string, files: number, trials: number): Promise<Stage> {
  const seed = join(directory, 'seed.git');
  const client = join(directory, 'client');
  const upstreams = join(directory, 'upstreams');
  mkdirSync(upstreams);
  await git(directory, 'init', '--quiet', '--bare', '--initial-branch=main', seed);
  await git(directory, 'init', '--quiet', '--initial-branch=main', client);
  writeFileSync(join(client, 'README.md'), '# Here\n');
  await git(client, 'add', '.');
  await git(client, 'commit', '--quiet', '-m', 'Begin');
  await git(client, 'push', '--quiet', seed, 'main');
  writeSourceText(client, files, MB * 1e6);
  await git(client, 'add', '.');
  await git(client, 'commit', '--quiet', '-m', 'Add the modules');
  const names = Array.from({ length: trials }, (_, index) => `repo${index}`);
  for (const name of names) cpSync(seed, join(upstreams, `${name}.git`), { recursive: true });
  return { seed, client, upstreams, names };
}

/** Seconds that a push of `main` to a repository takes to which nobody has pushed before. */
async function pushTime({ client, upstreams }: Stage, name: string, url: string): Promise<number> {
  const upstream = join(upstreams, `${name}.git`);
  await git(client, 'ls-remote', '--quiet', url);
  const from = now();
  await git(client, 'push', '--quiet', url, 'main:refs/heads/work');
  const seconds = (now() - from) / 1e9;
  const [wanted, arrived] = await Promise.all([
    git(client, 'rev-parse', 'main'),
    git(upstream, 'rev-parse', 'refs/heads/work'),
  ]);
  if (wanted !== arrived) throw new Error('the push did not arrive upstream');
  rmSync(upstream, { recursive: true });
  return seconds;
}

/** git without anybody's settings. */
async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
  };
  try {
    return (await promisify(execFile)('git', [...args], { cwd, env })).stdout;
  } catch (error) {
    const said =
      error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').slice(-3).join('; ') : '';
    throw new Error(`git ${args[0]} failed: ${said || error}`);
  }
}
