import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { execa, execaSync } from 'execa';
import { parse } from 'yaml';
import type { Engine } from '../../compose/bottle/engine.ts';
import { loadBottle, parseBottle } from '../../compose/bottle/load.ts';
import { renderCompose } from '../../compose/compose/render.ts';
import { renderKubernetes } from '../../compose/kubernetes/render.ts';
import { planOf } from '../../compose/plan.ts';
import { sealedFiles } from '../../compose/render.ts';
import { renderSwarm } from '../../compose/swarm/render.ts';
import { formatProblem } from '../../config/problem.ts';
import { loadSettings } from '../../daemons/pipelock/settings.ts';
import { parseRoutes } from '../../daemons/routes/load.ts';
import { bottled } from '../cli/bottled.ts';
import { composeCommand } from '../container/engine.ts';
import { assertValid, objectsOf } from './kubernetes-objects.ts';
import { assertGolden, composeOf, planOfText, problemsOf, ROOT, warningsOf } from './rendered.ts';

/** UPDATE_GOLDEN=1 node --test test/compose/model.test.ts writes the goldens anew. */
const GOLDEN = join(ROOT, 'test/compose/golden');
const BOTTLE = join(ROOT, 'test/compose/bottles/model.yaml');

const SMALL = 'name: b\nagent: { image: acme/agent }\n';
const withModel = (more = ''): string => `${SMALL}model: { model: acme/small${more} }\n`;

const noCompose = composeCommand === undefined && 'there is no Docker Compose here';
const noStack =
  execaSync('docker', ['stack', 'config', '--help'], { reject: false }).exitCode === 0
    ? false
    : 'there is no docker stack config here';

/** The files of the bottle with a model, as an engine gets them. */
async function rendered(engine: Engine, mock = false): Promise<ReadonlyMap<string, string>> {
  const loaded = await loadBottle(BOTTLE, { engine });
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'));
  return sealedFiles(RENDERERS[engine], planOf(loaded.bottle, loaded.written, { layout: 'bundle', mock }));
}

const RENDERERS = { compose: renderCompose, swarm: renderSwarm, kubernetes: renderKubernetes } as const;

for (const [name, engine, mock] of [
  ['model', 'compose', false],
  ['model-mock', 'compose', true],
  ['model-swarm', 'swarm', false],
  ['model-kubernetes', 'kubernetes', false],
] as const) {
  it(`the bottle with a ${mock ? 'mock' : 'model'} is rendered for ${engine} as it stands in golden/`, async () => {
    assertGolden(join(GOLDEN, name), await rendered(engine, mock));
  });
}

for (const mock of [false, true]) {
  describe(`the bottle with a ${mock ? 'mock' : 'model'}`, () => {
    it('is a Compose file to Docker Compose', { skip: noCompose }, async () => {
      const file = join(GOLDEN, mock ? 'model-mock' : 'model', 'compose.yaml');
      const [program = '', ...args] = composeCommand ?? [];
      const { exitCode, stderr } = await execa(program, [...args, '-f', file, 'config', '--quiet'], { reject: false });
      assert.equal(`${exitCode} ${stderr}`, '0 ');
    });

    it('is a stack to docker', { skip: noStack }, async (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'model-'));
      t.after(() => rmSync(directory, { recursive: true }));
      writeFileSync(join(directory, 'stack.yaml'), (await rendered('swarm', mock)).get('stack.yaml') ?? '');
      const { stdout, stderr } = await execa('docker', ['stack', 'config', '-c', join(directory, 'stack.yaml')]);
      assert.equal(stderr, '');
      assert.ok(parse(stdout).services['vllm-sidecar']);
    });

    it('is valid by the schemas of the API of Kubernetes', async () => {
      const objects = objectsOf((await rendered('kubernetes', mock)).get('kubernetes.yaml') ?? '');
      for (const object of objects) assertValid(object);
      assert.equal(objects.filter(({ kind }) => kind === 'Service').length, 1);
    });
  });
}

/** The service of the model, as it is rendered. */
async function serviceOf(text: string): Promise<Readonly<Record<string, unknown>>> {
  const file = await composeOf(text);
  return { ...file.services['vllm-sidecar'] };
}

describe('a model', () => {
  it('shares a network with the bundle alone: neither it nor the agent reaches the other, and none has a way out', async () => {
    const { services, networks } = await composeOf(withModel());
    assert.deepEqual(services['vllm-sidecar']?.networks, ['model']);
    assert.deepEqual(services.agent?.networks, ['internal']);
    assert.deepEqual(Object.keys(services.sidecars?.networks ?? {}), ['internal', 'outward', 'model']);
    assert.equal(networks.model?.internal, true);
    assert.deepEqual(services['vllm-sidecar']?.dns, ['127.0.0.1']);
    assert.equal((await serviceOf(withModel())).ports, undefined);
  });

  it('in the split layout shares it with the service that holds the network', async () => {
    const { services } = await composeOf(withModel(), 'split');
    assert.deepEqual(Object.keys(services.pipelock?.networks ?? {}), ['internal', 'outward', 'model']);
  });

  it('reaches the internet only where the bottle says so, by a network of its own, else it is told that it is offline', async () => {
    const online = await composeOf(withModel(', internet: true'));
    assert.deepEqual(online.services['vllm-sidecar']?.networks, ['model', 'weights']);
    assert.equal(online.services['vllm-sidecar']?.environment.HF_HUB_OFFLINE, undefined);
    assert.equal(online.networks.weights?.internal, undefined);
    const offline = await composeOf(withModel());
    assert.equal(offline.services['vllm-sidecar']?.environment.HF_HUB_OFFLINE, '1');
    assert.equal(offline.networks.weights, undefined);
  });

  it('is asked by the agent through egress: the questions of the API at one host and port, past the guard for private addresses', async () => {
    const plan = await planOfText(`${withModel()}egress: { routes: [{ host: a.example }] }\n`);
    const routes = await parseRoutes('routes.yaml', plan.files.get('routes.yaml') ?? '');
    assert.ok(routes.ok);
    assert.deepEqual(
      routes.routes.routes.map(({ host, schemes, ports }) => [host, schemes, ports]),
      [
        ['a.example', ['https'], undefined],
        ['vllm-sidecar', ['http'], [8000]],
      ],
    );
    assert.deepEqual(
      routes.routes.routes[1]?.matches?.map(({ methods, paths }) => [methods, paths?.map(({ value }) => value)]),
      [
        [['GET'], ['/v1/models']],
        [['POST'], ['/v1/chat/completions', '/v1/completions', '/v1/embeddings']],
      ],
    );
    const directory = mkdtempSync(join(tmpdir(), 'model-'));
    try {
      writeFileSync(join(directory, 'pipelock.yaml'), plan.files.get('pipelock.yaml') ?? '');
      const settings = await loadSettings(join(directory, 'pipelock.yaml'));
      assert.deepEqual(settings.ok && settings.value.internal_hosts, ['vllm-sidecar']);
    } finally {
      rmSync(directory, { recursive: true });
    }
    assert.equal(plan.agent.environment.get('LLM_SIDECAR_URL'), 'http://vllm-sidecar:8000/v1');
    assert.doesNotMatch(plan.agent.environment.get('NO_PROXY') ?? '', /vllm/);
  });

  it('can be kept from the agent, and its route be written otherwise', async () => {
    const kept = await planOfText(withModel(', agent: false'));
    assert.doesNotMatch([...kept.files.values(), ...kept.agent.environment.keys()].join(), /vllm|LLM_/);
    const own = await planOfText(
      `${withModel()}egress: { routes: [{ host: vllm-sidecar, schemes: [http], ports: [8000], dlp: { outbound_on_match: redact } }] }\n`,
    );
    assert.equal(parse(own.files.get('routes.yaml') ?? '').routes.length, 1);
  });

  it('is asked by supervise for a second opinion, unless the bottle says no', async () => {
    const of = async (text: string) => (await planOfText(text)).sidecars[0]?.environment;
    assert.equal((await of(withModel()))?.get('SUPERVISE_OPINION_URL'), 'http://vllm-sidecar:8000/v1');
    assert.equal((await of(withModel()))?.get('SUPERVISE_OPINION_MODEL'), 'acme/small');
    const adapter = await of(withModel(', adapters: { green: /root/.cache/huggingface/g }, opinion: green'));
    assert.equal(adapter?.get('SUPERVISE_OPINION_MODEL'), 'green');
    assert.equal((await of(withModel(', opinion: false')))?.get('SUPERVISE_OPINION_URL'), undefined);
  });

  it('does not hold the bottle back while it is loaded, unless the bottle says so', async () => {
    const { services } = await composeOf(withModel());
    assert.deepEqual(Object.keys(services.agent?.depends_on ?? {}), ['sidecars']);
    assert.equal(services.sidecars?.depends_on, undefined);
    const waiting = await composeOf(withModel(', wait: true'));
    assert.deepEqual(waiting.services.agent?.depends_on?.['vllm-sidecar'], { condition: 'service_healthy' });
    const { healthcheck } = await serviceOf(withModel(', start_period: 45m'));
    assert.deepEqual(Object.entries(Object(healthcheck)).at(-1), ['start_period', '45m']);
  });

  it('has the GPUs that the bottle says, else an image for processors', async () => {
    const devices = (service: Readonly<Record<string, unknown>>) =>
      Object(service.deploy).resources?.reservations.devices;
    const one = await serviceOf(withModel(', gpu: 2'));
    assert.deepEqual(devices(one), [{ driver: 'nvidia', count: 2, capabilities: ['gpu'] }]);
    assert.deepEqual(devices(await serviceOf(withModel()))[0].count, 'all');
    const none = await serviceOf(withModel(', gpu: false'));
    assert.equal(none.deploy, undefined);
    assert.match(String(none.image), /^vllm\/vllm-openai-cpu:v/);
  });

  it('serves its adapters under their names', async () => {
    const { command } = await serviceOf(
      withModel(', adapters: { green_agent_adapter: /root/.cache/huggingface/g }, args: ["--max-model-len", "4096"]'),
    );
    assert.deepEqual(command, [
      ...['--model', 'acme/small', '--host', '0.0.0.0', '--port', '8000'],
      ...['--enable-lora', '--lora-modules', 'green_agent_adapter=/root/.cache/huggingface/g'],
      ...['--max-model-len', '4096'],
    ]);
  });

  it('gets its token as a file that no other container has, and that stands in no variable', async () => {
    const text = `${withModel(', token: HF, internet: true')}secrets: { HF: { file: ./hf } }\n`;
    const { services, secrets } = await composeOf(text);
    assert.deepEqual(Object.keys(secrets ?? {}), ['HF']);
    assert.equal(services['vllm-sidecar']?.environment.HF_TOKEN_PATH, services['vllm-sidecar']?.secrets?.[0]?.target);
    assert.equal(services.agent?.secrets ?? services.sidecars?.secrets, undefined);
    assert.deepEqual(await warningsOf(text), []);
  });

  it('is the mock out of the image of the bundle where the bottle or --mock says so, without volumes, token or way out', async () => {
    const text = `${withModel(', mock: true, internet: true, token: HF, adapters: { green: /a/g }')}secrets: { HF: { file: ./hf } }\n`;
    const { services, networks, secrets, volumes } = await composeOf(text);
    const { image, user, read_only, networks: joined, command } = { user: '', ...services['vllm-sidecar'] };
    assert.deepEqual([image, user, read_only, joined], ['bottled-sidecars:latest', '65534:65534', true, ['model']]);
    assert.deepEqual(command, ['--host', '::', '--port', '8000', '--model', 'acme/small', '--model', 'green']);
    assert.deepEqual([networks.weights, secrets, volumes.huggingface], [undefined, undefined, undefined]);
    const directory = mkdtempSync(join(tmpdir(), 'model-'));
    try {
      writeFileSync(join(directory, 'bottle.yaml'), withModel());
      const { stdout } = await bottled(['render', 'compose', '--mock', '-o', '-', join(directory, 'bottle.yaml')]);
      assert.match(stdout, /\/opt\/bottled\/dist\/model-mock\.mjs/);
      writeFileSync(join(directory, 'bottle.yaml'), SMALL);
      const none = await bottled(['render', 'compose', '--mock', '-o', '-', join(directory, 'bottle.yaml')]);
      assert.match(none.stderr, /--mock changes nothing: the bottle has no model/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  const made = ['hf', 'Ab3'.repeat(12)].join('_');
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['a token that is not there', withModel(', token: HF'), /model\.token: needs "HF", which "secrets" does not have/],
    [
      'an opinion of nobody',
      withModel(', opinion: geen, adapters: { green: /a/g }'),
      /model\.opinion: "geen" is neither .*did you mean "green"/,
    ],
    [
      'a token in a variable',
      withModel(`, environment: { HF_TOKEN: ${made} }`),
      /model\.environment\.HF_TOKEN: holds what looks like a credential/,
    ],
    ['a mount of the host', withModel(', volumes: ["/var/run:/x"]'), /model\.volumes\[0\]: "\/var\/run"/],
    ['the volume of the bundle', withModel(', volumes: ["data:/x"]'), /"data" is the volume of the bundle/],
    [
      'a mount in what the agent writes',
      `name: b\nagent: { image: a, volumes: ["./w:/w"] }\nmodel: { model: m, volumes: ["./w/adapters:/a"] }\n`,
      /lies in "\.\/w", which the agent can write/,
    ],
    ['an adapter with a space', withModel(', adapters: { "a b": /x }'), /is not the name of an adapter/],
  ];
  for (const [what, text, message] of refused) {
    it(`with ${what} is refused`, async () => {
      const problems = (await problemsOf(text)).join('\n');
      assert.match(problems, message);
      assert.doesNotMatch(problems, new RegExp(made));
    });
  }

  it('that cannot be counted or waited for on many machines is told so', async () => {
    for (const engine of ['swarm', 'kubernetes'] as const) {
      const loaded = await parseBottle('bottle.yaml', withModel(', wait: true'), { engine });
      const warnings = loaded.ok ? loaded.warnings.map(formatProblem).join('\n') : '';
      assert.match(
        warnings,
        /model\.gpu: true is all GPUs of one machine, which .* cannot count: it is taken for 1; write how many/,
      );
      assert.match(warnings, /model\.wait: has no meaning on /);
    }
  });

  it('of which the agent can write the weights is warned of', async () => {
    const shared = (mode: string) =>
      warningsOf(`name: b\nagent: { image: a, volumes: ["huggingface:/hf${mode}"] }\nmodel: { model: m }\n`);
    assert.match(
      (await shared('')).join(),
      /model\.volumes\[?0?\]?: the agent can write "huggingface": weights and adapters are code/,
    );
    assert.deepEqual(await shared(':ro'), []);
  });

  it('with what is hardly meant is told so', async () => {
    const warnings = (
      await warningsOf(`${withModel(', token: HF, adapters: { g: /a/g }')}secrets: { HF: { file: ./hf } }\n`)
    ).join('\n');
    assert.match(warnings, /model\.token: is of no use: without "internet: true"/);
    assert.match(warnings, /model\.adapters\.g: "\/a\/g" is in no volume of the model/);
  });
});

describe('a model on Swarm', () => {
  it('shares a network with the bundle alone, and leads out only to load weights', async () => {
    const { services, networks } = parse((await rendered('swarm')).get('stack.yaml') ?? '');
    assert.deepEqual(services['vllm-sidecar'].networks, ['model', 'weights']);
    assert.deepEqual(services.agent.networks, ['internal']);
    assert.deepEqual(Object.keys(services.sidecars.networks), ['internal', 'outward', 'model']);
    assert.equal(networks.model.internal, true);
    const mock = parse((await rendered('swarm', true)).get('stack.yaml') ?? '');
    assert.deepEqual([mock.services['vllm-sidecar'].networks, mock.networks.weights], [['model'], undefined]);
    assert.deepEqual(mock.services['vllm-sidecar'].dns, ['127.0.0.1']);
  });

  it('reserves its GPUs, and gets its token as a file', async () => {
    const { services, secrets } = parse((await rendered('swarm')).get('stack.yaml') ?? '');
    const { deploy, secrets: own, environment } = services['vllm-sidecar'];
    assert.deepEqual(deploy.resources.reservations.generic_resources, [
      { discrete_resource_spec: { kind: 'NVIDIA-GPU', value: 1 } },
    ]);
    assert.equal(environment.HF_TOKEN_PATH, own[0].target);
    assert.deepEqual(Object.keys(secrets), ['HUGGING_FACE_HUB_TOKEN']);
    assert.equal(services.agent.secrets ?? services.sidecars.secrets, undefined);
  });
});

describe('a model on Kubernetes', () => {
  const found = async (kind: string, name: string, mock = false) => {
    const objects = objectsOf((await rendered('kubernetes', mock)).get('kubernetes.yaml') ?? '');
    const object = objects.find((each) => each.kind === kind && each.metadata.name === name);
    assert.ok(object, `${kind} ${name}`);
    // What the schema of the API has said of it already.
    return JSON.parse(JSON.stringify(object));
  };

  it('can be asked by the pod of the bottle alone, which may ask it', async () => {
    const bottle = (await found('Job', 'team')).spec.template.metadata.labels;
    const model = (await found('Deployment', 'team-model')).spec.template.metadata.labels;
    assert.notDeepEqual(bottle, model);
    const ofModel = (await found('NetworkPolicy', 'team-model')).spec;
    assert.deepEqual(ofModel.podSelector.matchLabels, model);
    assert.deepEqual(ofModel.ingress, [
      { from: [{ podSelector: { matchLabels: bottle } }], ports: [{ protocol: 'TCP', port: 8000 }] },
    ]);
    const ofBottle = (await found('NetworkPolicy', 'team')).spec;
    assert.deepEqual(ofBottle.podSelector.matchLabels, bottle);
    assert.deepEqual(ofBottle.egress.at(-1), {
      to: [{ podSelector: { matchLabels: model } }],
      ports: [{ protocol: 'TCP', port: 8000 }],
    });
    assert.deepEqual((await found('Service', 'vllm-sidecar')).spec.selector, model);
  });

  it('talks to nobody unless it loads weights', async () => {
    assert.equal((await found('NetworkPolicy', 'team-model')).spec.egress.length, 2);
    assert.deepEqual((await found('NetworkPolicy', 'team-model', true)).spec.egress, []);
    assert.equal((await found('Deployment', 'team-model', true)).spec.template.spec.dnsPolicy, 'None');
  });

  it('has its GPUs, its token as a file, its own volume, and time to be loaded', async () => {
    const { containers, volumes } = (await found('Deployment', 'team-model')).spec.template.spec;
    const [{ resources, env, volumeMounts, startupProbe }] = containers;
    assert.equal(resources.limits['nvidia.com/gpu'], '1');
    assert.equal(startupProbe.failureThreshold * startupProbe.periodSeconds, 30 * 60);
    const { secret } = volumes.find(({ name }: { readonly name: string }) => name === 'token');
    assert.deepEqual([secret.secretName, secret.items[0].key], ['team-secrets', 'HUGGING_FACE_HUB_TOKEN']);
    const mount = volumeMounts.find(({ name }: { readonly name: string }) => name === 'token');
    assert.ok(
      env.some(({ value }: { readonly value: string }) => value === `${mount.mountPath}/${secret.items[0].path}`),
    );
    const claim = await found('PersistentVolumeClaim', 'team.huggingface');
    assert.equal(claim.spec.resources.requests.storage, '200Gi');
    const text = (await rendered('kubernetes')).get('kubernetes.yaml') ?? '';
    assert.match(text, /--from-file=HUGGING_FACE_HUB_TOKEN=/);
  });
});
