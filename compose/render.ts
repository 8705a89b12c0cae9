import type { Engine } from './bottle/engine.ts';
import type { BottlePlan } from './plan.ts';
import { seal } from './seal.ts';

/** Turns a plan into the files of one engine. */
export type Renderer = (plan: BottlePlan) => ReadonlyMap<string, string>;

/** The file that an engine is given, among those that are rendered for it. */
export const MAIN_FILES: Readonly<Record<Engine, string>> = {
  compose: 'compose.yaml',
  swarm: 'stack.yaml',
  kubernetes: 'kubernetes.yaml',
};

/** The files of one engine as they are written: each with its seal. */
export function sealedFiles(render: Renderer, plan: BottlePlan): ReadonlyMap<string, string> {
  return new Map([...render(plan)].map(([path, text]) => [path, seal(text)]));
}
