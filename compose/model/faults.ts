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
export function* modelWarnings({ agent, model, supervise }: Bottle): Generator<Fault> {
  if (model === undefined) return;
  const writable = agent.volumes.map(parseMount).filter(({ readOnly }) => !readOnly);
  for (const [index, written] of model.volumes.entries()) {
    const { source } = parseMount(written);
    if (model.mock || !writable.some((mount) => mount.source === source)) continue;
    const message = `the agent can write ${quote(source)}: weights and adapters are code to a model server`;
    yield { path: ['model', 'volumes', index], message, hint: 'add ":ro" to the mount of the agent' };
  }
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

/** What means nothing, or something else, on engines of many machines. */
export function* modelEngineWarnings({ model }: Bottle, engine: Engine): Generator<Fault> {
  if (model === undefined || engine === 'compose') return;
  const name = engine === 'swarm' ? 'Swarm' : 'Kubernetes';
  if (model.gpu === true && !model.mock) {
    const message = `true is all GPUs of one machine, which ${name} cannot count: it is taken for 1`;
    yield { path: ['model', 'gpu'], message, hint: 'write how many' };
  }
  if (model.wait) {
    const message = `has no meaning on ${name}: the agent does not wait for the model`;
    yield { path: ['model', 'wait'], message, hint: 'let the agent ask again while egress answers 502' };
  }
}
