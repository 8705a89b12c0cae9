import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { Engine } from '../../compose/bottle/engine.ts';
import { type LoadedBottle, loadBottle, parseBottle } from '../../compose/bottle/load.ts';
import { renderCompose } from '../../compose/compose/render.ts';
import { type BottlePlan, type Layout, planOf } from '../../compose/plan.ts';
import { formatProblem } from '../../config/problem.ts';

/** The root of the project. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Bottles with goldens, by name: the example, and those of the tests. */
export const BOTTLES: Readonly<Record<string, string>> = {
  example: `${ROOT}examples/bottle/bottle.yaml`,
  full: `${ROOT}test/compose/bottles/full.yaml`,
  smallest: `${ROOT}test/compose/bottles/smallest.yaml`,
};

/** A bottle for Swarm and for Kubernetes. */
export const CLUSTER = `${ROOT}test/compose/bottles/cluster.yaml`;

/** A bottle file that has to be valid, planned as if rendered beside itself. */
export async function planOfFile(file: string, layout: Layout, engine: Engine = 'compose'): Promise<BottlePlan> {
  return planned(await loadBottle(file, { engine }), layout);
}

/** As {@link planOfFile}, of a text; relative paths count from `/project/bottle`. */
export async function planOfText(text: string, layout: Layout = 'bundle'): Promise<BottlePlan> {
  return planned(await parseBottle('/project/bottle/bottle.yaml', text, { engine: 'compose' }), layout);
}

function planned(loaded: LoadedBottle, layout: Layout): BottlePlan {
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'));
  return planOf(loaded.bottle, loaded.written, { layout });
}

/** What is wrong with a bottle, as it is printed, without the path of the file. */
export async function problemsOf(text: string, engine: Engine = 'compose'): Promise<readonly string[]> {
  const file = '/project/bottle/bottle.yaml';
  const loaded = await parseBottle(file, text, { engine });
  assert.ok(!loaded.ok, 'it is valid');
  return loaded.problems.map((problem) => formatProblem({ ...problem, file: relative(dirname(file), problem.file) }));
}

/** What is hardly meant in a bottle that is valid. */
export async function warningsOf(text: string): Promise<readonly string[]> {
  const loaded = await parseBottle('bottle.yaml', text, { engine: 'compose' });
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'));
  return loaded.warnings.map(formatProblem);
}

/** The rendered Compose file as the engine reads it. */
export async function composeOf(text: string, layout: Layout = 'bundle'): Promise<ComposeFile> {
  return parse(renderCompose(await planOfText(text, layout)).get('compose.yaml') ?? '');
}

/** What the tests look at. */
export interface ComposeFile {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
}

export interface Service {
  readonly image: string;
  readonly command?: unknown;
  readonly environment: Readonly<Record<string, string>>;
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>;
  readonly network_mode?: string;
  readonly volumes: readonly {
    readonly type: string;
    readonly source: string;
    readonly target: string;
    readonly read_only?: boolean;
  }[];
  readonly secrets?: readonly { readonly source: string; readonly target: string; readonly mode: string }[];
  readonly cap_drop: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt: readonly string[];
  readonly dns?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string; readonly restart?: boolean }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly privileged?: boolean;
  readonly read_only: boolean;
}

/** A directory with these files, until the end of the test. */
export function written(t: Pick<TestContext, 'after'>, files: ReadonlyMap<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'bottled-rendered-'));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const [path, text] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

/** Rendered files are those of a directory, byte for byte. `UPDATE_GOLDEN=1` writes the directory anew. */
export function assertGolden(directory: string, files: ReadonlyMap<string, string>): void {
  if (process.env.UPDATE_GOLDEN === '1') {
    rmSync(directory, { recursive: true, force: true });
    for (const [path, text] of files) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
  }
  const golden = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
  assert.deepEqual(golden.sort(), [...files.keys()].sort());
  for (const [path, text] of files) assert.equal(text, readFileSync(join(directory, path), 'utf8'), path);
}
