import { dirname, relative, resolve } from 'node:path';
import { ENGINES, type Engine } from '../compose/bottle/engine.ts';
import { loadBottle } from '../compose/bottle/load.ts';
import { secretFileWarnings } from '../compose/bottle/secret-files.ts';
import { type Layout, planOf } from '../compose/plan.ts';
import { MAIN_FILES, type Renderer, sealedFiles } from '../compose/render.ts';
import { writeFiles } from '../compose/write-files.ts';
import { formatProblem, type Problem } from '../config/problem.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print } from './output.ts';
import { hint, wrong } from './parse.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

const RENDERERS: Readonly<Record<Engine, () => Promise<Renderer>>> = {
  compose: async () => (await import('../compose/compose/render.ts')).renderCompose,
  swarm: async () => (await import('../compose/swarm/render.ts')).renderSwarm,
  kubernetes: async () => (await import('../compose/kubernetes/render.ts')).renderKubernetes,
};

/** Prints the problems, or the warnings, of a bottle; renders it and writes what is new. */
export async function render({ values, names }: Arguments<Verbs['render']>): Promise<ExitCode> {
  const [engine = ''] = names;
  if (!isEngine(engine))
    throw wrong(VERBS.render, `"${engine}" is not one of ${ENGINES.join(', ')}${hint(engine, ENGINES)}`);
  const layout: Layout = values.layout === 'split' ? 'split' : 'bundle';
  if (layout === 'split' && engine !== 'compose') throw wrong(VERBS.render, `--layout split is for compose only`);
  if (names[1] !== undefined && values.file !== undefined) throw wrong(VERBS.render, 'names two bottle files');
  const file = values.file ?? names[1] ?? 'bottle.yaml';
  const directory = dirname(file);
  const output = values.output === undefined || values.output === '-' ? directory : values.output;

  const loaded = await loadBottle(file, { engine, output });
  if (!loaded.ok) return complain(loaded.problems);
  const plan = planOf(loaded.bottle, loaded.written, {
    layout,
    directory: relative(resolve(output), resolve(directory)) || '.',
    mock: values.mock,
  });
  const warnings = [...loaded.warnings, ...secretFileWarnings(loaded.bottle, file)];
  for (const warning of [...warnings.map(formatProblem), ...plan.warnings]) {
    process.stderr.write(`warning: ${warning}\n`);
  }
  if (values.mock && loaded.bottle.model === undefined) {
    process.stderr.write('warning: --mock changes nothing: the bottle has no model\n');
  }
  const files = sealedFiles(await RENDERERS[engine](), plan);
  if (values.output === '-') {
    await print(files.get(MAIN_FILES[engine]) ?? '');
    return EXIT.ok;
  }
  const written = writeFiles(output, files, values.force);
  if (!written.ok) return complain(written.problems);
  await print(written.files.map(([path, change]) => `${path} ${change}\n`).join(''));
  return EXIT.ok;
}

function isEngine(word: string): word is Engine {
  return ENGINES.some((engine) => engine === word);
}

function complain(problems: readonly Problem[]): ExitCode {
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  return EXIT.usage;
}
