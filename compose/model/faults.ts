import { didYouMean, quote } from '../../config/problem.ts';
import type { Engine } from '../bottle/engine.ts';
import type { Fault } from '../bottle/fault.ts';
import type { Bottle } from '../bottle/schema.ts';
import { parseMount } from '../mount.ts';

/** What is wrong with the model of a bottle. Its mounts are checked with those of the others. */
export function* modelFaults({ model, secrets }: Bottle): Generator<Fault> {
  if (model === undefined) return;
  const { token, opinion, adapters } = model;
  if (token !== undefined && !Object.hasOwn(secrets, token)) {
    const hint =
      didYouMean(token, Object.keys(secrets)) ?? `add it: secrets: { ${token}: { file: ./secrets/${token} } }`;
    yield { path: ['model', 'token'], message: `needs ${quote(token)}, which "secrets" does not have`, hint };
  }
  const names = [model.model, ...Object.keys(adapters)];
  if (typeof opinion === 'string' && !names.includes(opinion)) {
    yield {
      path: ['model', 'opinion'],
      message: `${quote(opinion)} is neither the model nor one of its adapters`,
      hint: didYouMean(opinion, names) ?? `write one of ${names.join(', ')}`,
    };
  }
}

/** What is allowed but hardly meant. */
export function* modelWarnings({ model, supervise }: Bottle): Generator<Fault> {
  if (model === undefined) return;
  if (model.token !== undefined && !model.internet) {
    yield { path: ['model', 'token'], message: 'is of no use: without "internet: true" no weights are loaded' };
  }
  if (typeof model.opinion === 'string' && supervise === false) {
    yield { path: ['model', 'opinion'], message: 'is of no use: supervise is off', ofKey: true };
  }
  const targets = model.volumes.map((written) => parseMount(written).target);
  for (const [name, path] of Object.entries(model.adapters)) {
    if (model.mock || targets.some((target) => path.startsWith(`${target}/`) || path === target)) continue;
    yield {
      path: ['model', 'adapters', name],
      message: `${quote(path)} is in no volume of the model`,
      hint: 'mount it under model.volumes, e.g. "./adapters:/app/adapters:ro"',
    };
  }
}

/** Engines for which no model is rendered yet. */
export function* modelEngineFaults({ model }: Bottle, engine: Engine): Generator<Fault> {
  if (model === undefined || engine === 'compose') return;
  yield {
    path: ['model'],
    message: `is not rendered for ${engine === 'swarm' ? 'Swarm' : 'Kubernetes'} yet`,
    hint: 'run the model server beside the bottle and give the way to it, as docs/model.md says',
    ofKey: true,
  };
}
