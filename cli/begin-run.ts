import { installHandlers } from '../init/signals.ts';
import type { Action } from './act.ts';
import type { Verbs } from './verbs.ts';

/** Takes signals before the rest of the init is loaded: as process 1 one without a handler is lost. */
export async function beginRun(): Promise<Action<Verbs['run']>> {
  const signals = installHandlers();
  const { run } = await import('./run.ts');
  return (command) => run(command, signals);
}
