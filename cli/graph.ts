import { formatProblem } from '../config/problem.ts';
import { renderGraph } from '../init/bundle/graph.ts';
import { loadBundle } from '../init/bundle/load.ts';
import { fileOf, loadOptions } from './bundle-file.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print } from './output.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

const FORMATS = ['text', 'mermaid', 'dot'] as const;

export async function graph({ values, names }: Arguments<Verbs['graph']>): Promise<ExitCode> {
  const loaded = await loadBundle(loadOptions(fileOf(VERBS.graph, values.file, names[0]), values.only));
  if (!loaded.ok) {
    for (const problem of loaded.problems) process.stderr.write(`${formatProblem(problem)}\n`);
    return EXIT.usage;
  }
  await print(renderGraph(loaded.bundle, FORMATS.find((format) => format === values.format) ?? 'text'));
  return EXIT.ok;
}
