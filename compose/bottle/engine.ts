import { composeFaults } from '../compose/faults.ts';
import { kubernetesFaults, kubernetesWarnings } from '../kubernetes/faults.ts';
import { modelEngineWarnings } from '../model/faults.ts';
import { swarmFaults } from '../swarm/faults.ts';
import type { Fault } from './fault.ts';
import type { Bottle } from './schema.ts';

/** What a bottle can be rendered for. */
export const ENGINES = ['compose', 'swarm', 'kubernetes'] as const;
export type Engine = (typeof ENGINES)[number];

/** What this engine cannot do. */
export function* engineFaults(bottle: Bottle, engine: Engine): Generator<Fault> {
  yield* FAULTS[engine](bottle);
}

const FAULTS: Readonly<Record<Engine, (bottle: Bottle) => Iterable<Fault>>> = {
  compose: composeFaults,
  swarm: swarmFaults,
  kubernetes: kubernetesFaults,
};

/** What means nothing, or something else, on this engine. */
export function* engineWarnings(bottle: Bottle, engine: Engine): Generator<Fault> {
  yield* modelEngineWarnings(bottle, engine);
  if (engine === 'kubernetes') yield* kubernetesWarnings(bottle);
  if (engine === 'swarm') return;
  for (const service of ['agent', 'sidecars', 'model'] as const) {
    if (bottle[service]?.placement === undefined) continue;
    yield { path: [service, 'placement'], message: 'is for Swarm and has no meaning here', ofKey: true };
  }
}
