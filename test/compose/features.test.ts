import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import type { Engine } from '../../compose/bottle/engine.ts';
import { parseBottle } from '../../compose/bottle/load.ts';
import { renderCompose } from '../../compose/compose/render.ts';
import { renderKubernetes } from '../../compose/kubernetes/render.ts';
import { type Layout, planOf } from '../../compose/plan.ts';
import { renderSwarm } from '../../compose/swarm/render.ts';
import { formatProblem } from '../../config/problem.ts';
import { composeCommand, noEngine } from '../container/engine.ts';
import { assertValid, objectsOf } from './kubernetes-objects.ts';
import { written } from './rendered.ts';

const RENDERERS = { compose: renderCompose, swarm: renderSwarm, kubernetes: renderKubernetes } as const;

const TOOL = 'mcp: { governance: { mode: blocking }, tools: [{ name: t, driver: local, command: t }] }';

/** What a bottle may have beside its agent, each by itself. */
const FEATURES: readonly (readonly [string, string])[] = [
  ['nothing but the agent', 'supervise: false'],
  ['someone to ask', 'supervise: { wait: 1m }'],
  ['a route', 'egress: { routes: [{ host: a.example }] }'],
  [
    'a credential',
    'egress: { routes: [{ host: a.example, auth_scheme: Bearer, token_env: EGRESS_TOKEN_A }] }\nsecrets: { EGRESS_TOKEN_A: { file: ./a } }',
  ],
  ['a canary', 'secrets: { CANARY: { file: ./canary } }'],
  ['a repository', 'git: { repos: { a: { url: "https://git.example/a" } } }'],
  ['no repository', 'git: { repos: {} }'],
  ['a tool', TOOL],
  ['no tool', 'mcp: { governance: { mode: blocking }, tools: [] }'],
  ['a token for tools', `${TOOL}\nsecrets: { MCP_BRIDGE_TOKEN: { file: ./token } }`],
  ['a model', 'model: { model: m, gpu: 1 }'],
  ['a model for nobody', 'model: { model: m, gpu: false, agent: false, opinion: false, volumes: [] }'],
  ['a mock of a model', 'model: { model: m, mock: true }'],
  ['settings of pipelock', 'pipelock: { internal_hosts: [inner.example] }'],
  ['a driver for its volume', 'data: { driver: local, size: 1gb }'],
];

async function rendered(text: string, engine: Engine, layout: Layout = 'bundle'): Promise<ReadonlyMap<string, string>> {
  const loaded = await parseBottle('/project/bottle.yaml', text, { engine });
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'));
  assert.deepEqual(loaded.warnings.map(formatProblem), []);
  return RENDERERS[engine](planOf(loaded.bottle, loaded.written, { layout }));
}

const noCompose = composeCommand === undefined && 'there is no Docker Compose here';

for (const [feature, text] of FEATURES) {
  const bottle = `name: b\nagent: { image: acme/agent }\n${text}\n`;
  describe(`a bottle with ${feature}`, () => {
    for (const layout of ['bundle', 'split'] as const) {
      it(`is a Compose file to Docker Compose, layout ${layout}`, { skip: noCompose }, async (t) => {
        const [program = '', ...args] = composeCommand ?? [];
        const cwd = written(t, await rendered(bottle, 'compose', layout));
        await execa(program, [...args, 'config', '--quiet'], { cwd });
      });
    }

    it('is a stack to docker', { skip: noEngine }, async (t) => {
      const cwd = written(t, await rendered(bottle, 'swarm'));
      await execa('docker', ['stack', 'config', '--compose-file', 'stack.yaml'], { cwd });
    });

    it('is valid by the schemas of the API of Kubernetes', async () => {
      for (const object of objectsOf((await rendered(bottle, 'kubernetes')).get('kubernetes.yaml') ?? '')) {
        assertValid(object);
      }
    });
  });
}
