import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import * as z from 'zod/mini';
import { isExecutable } from '../../daemons/program/executable.ts';
import type { Bundle } from '../../init/bundle/schema.ts';
import { VERSION } from '../../init/version.ts';
import { type KnownProgram, type Pins, PROGRAMS, type Program, type ProgramFacts } from '../programs.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const ANSWER_MS = 10_000;

/** The directory of bottled itself: that which holds dist/, or its sources. */
export function ownDirectory(): string {
  return dirname(dirname(realpathSync(process.argv[1] ?? '.')));
}

/** Where pins are recorded: `$BOTTLED_PINS`, else beside bottled itself. */
export function pinsFileOf(environment: Environment): string {
  return environment.BOTTLED_PINS || join(ownDirectory(), 'pins.json');
}

/** Programs and own files as they are for a process with this environment. */
export async function lookAtPrograms(environment: Environment, bundle: Bundle): Promise<ProgramFacts> {
  const pinsFile = pinsFileOf(environment);
  const { programs, files } = await lookHere(environment);
  return { pins: readPins(pinsFile), pinsFile, programs, files, needed: neededBy(bundle) };
}

/** Records what is there now. Throws where it cannot be written. */
export async function pinHere(environment: Environment): Promise<{ readonly file: string; readonly pins: Pins }> {
  const file = pinsFileOf(environment);
  const pins: Pins = { bottled: VERSION, ...(await lookHere(environment)) };
  const draft = join(dirname(file), `.${basename(file)}.next`);
  writeFileSync(draft, `${JSON.stringify(pins, null, 2)}\n`, { mode: 0o644 });
  renameSync(draft, file);
  return { file, pins };
}

async function lookHere(environment: Environment): Promise<Pick<Pins, 'programs' | 'files'>> {
  const found = await Promise.all(PROGRAMS.map(async (one) => [one.name, await lookAt(one, environment)] as const));
  return { programs: Object.fromEntries(found), files: ownFiles() };
}

/** The program as a daemon finds it. node: that which runs bottled, wherever it is. */
async function lookAt({ name, arguments: words }: KnownProgram, environment: Environment): Promise<Program | null> {
  const given = name === 'node' ? environment.BOTTLED_NODE : undefined;
  const path = given?.includes('/') ? resolve(given) : findOnPath(name, environment.PATH);
  if (path === undefined || !isExecutable(path)) return null;
  const [version, sha256] = [await askVersion(path, words, environment.PATH), hash('sha256', readFileSync(path))];
  return { path, version, sha256 };
}

function findOnPath(name: string, path: string | undefined): string | undefined {
  const directories = (path ?? '').split(delimiter).filter((directory) => directory.startsWith('/'));
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

/** ssh tells its version on stderr, where others tell it on stdout. */
function askVersion(path: string, words: readonly string[], searchPath: string | undefined): Promise<string> {
  return new Promise((resolve) => {
    const options = { timeout: ANSWER_MS, maxBuffer: 64 * 1024, env: { PATH: searchPath ?? '' } };
    execFile(path, words, options, (_error, stdout, stderr) => {
      resolve(/\d+\.\d+[\w.+-]*/.exec(`${stdout}\n${stderr}`)?.[0] ?? 'unknown version');
    });
  });
}

function ownFiles(): Readonly<Record<string, string>> {
  const dist = join(ownDirectory(), 'dist');
  try {
    const names = readdirSync(dist).sort();
    return Object.fromEntries(names.map((name) => [name, hash('sha256', readFileSync(join(dist, name)))]));
  } catch {
    return {};
  }
}

const program = z.object({ path: z.string(), version: z.string(), sha256: z.string() });
const pinsSchema = z.object({
  bottled: z.string(),
  programs: z.record(z.string(), z.nullable(program)),
  files: z.record(z.string(), z.string()),
});

function readPins(file: string): Pins | undefined {
  try {
    return z.parse(pinsSchema, JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}

function neededBy({ daemons }: Bundle): readonly string[] {
  const has = (variable: string): boolean => Object.values(daemons).some(({ environment }) => variable in environment);
  const engine = Object.values(daemons).find(({ environment }) => environment.PIPELOCK_ENGINE === 'pipelock');
  return [...(has('GIT_GATE_SETTINGS') ? ['git', 'ssh'] : []), ...(engine === undefined ? [] : ['pipelock'])];
}
