import { type LoadedConfig, loadConfig } from '../../../config/load.ts';
import { problemOf } from '../../../config/problem.ts';
import { type PipelockConfig, pipelockConfigSchema } from '../pipelock-config.ts';

/** Reads a configuration of pipelock as far as the stand-in understands it. What it cannot do is an error, never a silent gap. */
export async function loadStandInConfig(file: string): Promise<LoadedConfig<PipelockConfig>> {
  const loaded = await loadConfig(file, pipelockConfigSchema);
  if (!loaded.ok || !loaded.value.response_scanning.enabled) return loaded;
  const problem = problemOf(
    file,
    'response_scanning: the embedded stand-in cannot scan answers',
    'set response_scanning: off, or install pipelock',
  );
  return { ok: false, problems: [problem] };
}
