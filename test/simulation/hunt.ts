import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTANTS, type Mutant } from './mutants.ts';
import { simulate } from './run.ts';

/**
 * What became of a mutant: found by a seed; alive after all seeds, or after all its time; its text is no longer in the source; or the
 * seed that found it fails without it as well, which proves nothing.
 */
export type Catch =
  | { readonly outcome: 'found'; readonly seed: number; readonly rule: string }
  | { readonly outcome: 'survived'; readonly seeds: number }
  | { readonly outcome: 'hung' }
  | { readonly outcome: 'unproven'; readonly seed: number; readonly rule: string }
  | { readonly outcome: 'unmatched'; readonly occurrences: number };

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** Seeds that a mutant may survive before it counts as alive. */
const SEEDS = 20_000;
const TIME_LIMIT_MS = 120_000;

/** Breaks the policy as the mutant says, in a copy of what the simulation needs, and runs seeds until one finds it. */
export async function hunt({ file, find, replace }: Mutant): Promise<Catch> {
  const source = await readFile(join(ROOT, 'init/lifecycle', file), 'utf8');
  const occurrences = source.split(find).length - 1;
  if (occurrences !== 1) return { outcome: 'unmatched', occurrences };
  const home = await mkdtemp(join(tmpdir(), 'mutant-'));
  try {
    for (const room of ['config', 'init']) await cp(join(ROOT, room), join(home, room), { recursive: true });
    await cp(join(ROOT, 'test/simulation'), join(home, 'test/simulation'), { recursive: true });
    await cp(join(ROOT, 'package.json'), join(home, 'package.json'));
    await symlink(join(ROOT, 'node_modules'), join(home, 'node_modules'));
    await writeFile(
      join(home, 'init/lifecycle', file),
      source.replace(find, () => replace),
    );
    const result = await simulateIn(home);
    if (result.outcome !== 'found' || simulate(result.seed).failure === undefined) return result;
    return { ...result, outcome: 'unproven' };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Hunts every mutant, two at a time, and says what became of each. The number of those that were not found. */
export async function huntAll(print: (line: string) => void): Promise<number> {
  const waiting = [...MUTANTS];
  let missed = 0;
  const worker = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const result = await hunt(mutant);
      if (result.outcome !== 'found') missed++;
      print(`${mutant.name}: ${describeCatch(result, mutant)}`);
    }
  };
  await Promise.all([worker(), worker()]);
  print(`${MUTANTS.length - missed} of ${MUTANTS.length} mutants found`);
  return missed;
}

/** One line for a human. */
export function describeCatch(result: Catch, { file }: Mutant): string {
  switch (result.outcome) {
    case 'found':
      return `found by seed ${result.seed}: ${result.rule}`;
    case 'survived':
      return `NOT FOUND by ${result.seeds} seeds`;
    case 'hung':
      return `NOT FOUND: still running after ${TIME_LIMIT_MS / 1_000} s`;
    case 'unproven':
      return `NOT PROVEN: seed ${result.seed} fails without it as well: ${result.rule}`;
    case 'unmatched':
      return `its text occurs ${result.occurrences} times in init/lifecycle/${file}, and must occur once: adapt test/simulation/mutants.ts`;
  }
}

function simulateIn(home: string): Promise<Catch> {
  return new Promise((resolve, reject) => {
    const args = ['test/simulation/main.ts', '--runs', String(SEEDS)];
    execFile(
      process.execPath,
      args,
      { cwd: home, maxBuffer: 16_777_216, timeout: TIME_LIMIT_MS },
      (error, _stdout, stderr) => {
        if (error === null) {
          resolve({ outcome: 'survived', seeds: SEEDS });
          return;
        }
        if (error.killed === true) {
          resolve({ outcome: 'hung' });
          return;
        }
        const found = /^seed (\d+), step \d+: (.* \(DESIGN .*)$/m.exec(stderr);
        if (found === null) reject(new Error(`the mutant did not run: ${stderr.slice(0, 2_000)}`));
        else resolve({ outcome: 'found', seed: Number(found[1]), rule: found[2] ?? '' });
      },
    );
  });
}
