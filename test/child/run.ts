import assert from 'node:assert/strict';
import { closeSync, readFile } from 'node:fs';
import { promisify } from 'node:util';
import { type LaunchOptions, launch } from '../../init/child/launch.ts';
import { closeWriteEnds, makeOutputPipes, type OutputPipesOptions } from '../../init/child/pipes.ts';
import type { Exit } from '../../init/lifecycle/event.ts';
import { createReaper, type Reaper } from '../../init/reaper.ts';

/** What a program printed and how it ended. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: Exit;
}

export const PATH = process.env.PATH ?? '/usr/bin:/bin';

let shared: Reaper | undefined;

/** The one reaper of this test process. */
export function reaper(): Reaper {
  shared ??= createReaper();
  return shared;
}

/** Starts a program on real pipes and waits for its end. */
export async function run(
  argv: readonly string[],
  options: Partial<LaunchOptions> = {},
  pipeOptions: OutputPipesOptions = {},
): Promise<Ran> {
  const pipes = makeOutputPipes(pipeOptions);
  const child = launch({
    argv,
    environment: { PATH },
    session: 'new',
    ...options,
    descriptors: [{ fd: pipes.stdout.write, as: 1 }, { fd: pipes.stderr.write, as: 2 }, ...(options.descriptors ?? [])],
  });
  closeWriteEnds(pipes);
  assert.ok('pid' in child, 'error' in child ? child.error.message : '');
  const ended = new Promise<Exit>((resolve) => reaper().watch(child.pid, resolve));
  const [stdout, stderr, exit] = await Promise.all([readAll(pipes.stdout.read), readAll(pipes.stderr.read), ended]);
  return { stdout, stderr, exit };
}

/** Runs a line of shell. */
export function sh(script: string, options: Partial<LaunchOptions> = {}, pipes: OutputPipesOptions = {}): Promise<Ran> {
  return run(['sh', '-c', script], options, pipes);
}

async function readAll(fd: number): Promise<string> {
  try {
    return await promisify(readFile)(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
