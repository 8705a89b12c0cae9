import type { Bottle } from '../bottle/schema.ts';
import type { WrittenBottle } from '../plan.ts';
import { MODEL_PORT, MODEL_SERVICE, MODEL_URL } from './names.ts';

/** What the rest of a bottle is told of its model. */

/** The model with which the bottle is rendered: as it is written, or the mock in its place. */
export function withMock(bottle: Bottle, mock: boolean): Bottle {
  return mock && bottle.model !== undefined ? { ...bottle, model: { ...bottle.model, mock } } : bottle;
}

/** The questions of the API. vLLM has more below /v1, by which adapters are loaded: not for an agent. */
const MODEL_ROUTE = {
  host: MODEL_SERVICE,
  schemes: ['http'],
  ports: [MODEL_PORT],
  matches: [
    { methods: ['GET'], paths: [{ type: 'Exact', value: '/v1/models' }] },
    {
      methods: ['POST'],
      paths: ['chat/completions', 'completions', 'embeddings'].map((name) => ({ type: 'Exact', value: `/v1/${name}` })),
    },
  ],
} as const;

/** What routes.yaml and pipelock.yaml are made of: with a way to the model, where the agent has one. */
export function grantedSections(bottle: Bottle, written: WrittenBottle): Pick<WrittenBottle, 'egress' | 'pipelock'> {
  const { egress, pipelock } = written;
  if (bottle.model?.agent !== true) return { egress, pipelock };
  const routes = listOf(recordOf(egress).routes);
  const isRouted = bottle.egress.routes.some(({ host }) => host === MODEL_SERVICE);
  const hosts = listOf(recordOf(pipelock).internal_hosts).filter((host) => host !== MODEL_SERVICE);
  return {
    egress: { ...recordOf(egress), routes: isRouted ? routes : [...routes, MODEL_ROUTE] },
    pipelock: { ...recordOf(pipelock), internal_hosts: [...hosts, MODEL_SERVICE] },
  };
}

/** A variable of the agent, which it may have set otherwise. */
export function modelVariables({ model }: Bottle): [string, string][] {
  return model?.agent === true ? [['LLM_SIDECAR_URL', MODEL_URL]] : [];
}

/** What supervise is told: it asks the model directly, in the network that both are in. */
export function opinionSettings({ model }: Bottle): [string, string][] {
  if (model === undefined || model.opinion === false) return [];
  return [
    ['SUPERVISE_OPINION_URL', MODEL_URL],
    ['SUPERVISE_OPINION_MODEL', model.opinion === true ? model.model : model.opinion],
  ];
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
