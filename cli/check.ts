import { formatProblem } from '../config/problem.ts';
import { startLayers } from '../init/bundle/graph.ts';
import { loadBundle } from '../init/bundle/load.ts';
import { planText } from '../init/bundle/plan.ts';
import { fileOf, loadOptions } from './bundle-file.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print } from './output.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

export async function check({ values, names }: Arguments<Verbs['check']>): Promise<ExitCode> {
  const loaded = await loadBundle(loadOptions(fileOf(VERBS.check, values.file, names[0]), values.only));
  const code = loaded.ok ? EXIT.ok : EXIT.usage;
  if (values.json) {
    // The bundle itself is not printed: its variables may hold secrets by now.
    const plan = loaded.ok ? { ok: true, start_order: startLayers(loaded.bundle), warnings: loaded.warnings } : loaded;
    await print(`${JSON.stringify(plan)}\n`);
    return code;
  }
  for (const problem of loaded.ok ? loaded.warnings : loaded.problems) {
    process.stderr.write(`${loaded.ok ? 'warning: ' : ''}${formatProblem(problem)}\n`);
  }
  if (loaded.ok) await print(planText(loaded.bundle));
  return code;
}
