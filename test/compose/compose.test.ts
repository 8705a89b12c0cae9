import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { DAEMONS } from '../../compose/daemons.ts';
import type { Layout } from '../../compose/plan.ts';
import { type ComposeFile, composeOf, planOfText, type Service } from './rendered.ts';

const LAYOUTS: readonly Layout[] = ['bundle', 'split'];

const SMALL = 'name: b\nagent: { image: acme/agent }\n';
const GIT = 'git: { repos: { app: { url: "https://git.example/acme/app.git", token: GIT_TOKEN } } }\n';
const ROUTE =
  'egress: { routes: [{ host: api.example, token_env: EGRESS_TOKEN_0, auth_scheme: Bearer }, { host: b.example, token_env: EGRESS_TOKEN_1, auth_scheme: Bearer }] }\n';
const TOOL = `mcp: { governance: { mode: blocking }, tools: [{ name: t, driver: local, command: t, environment: { A: "\${GIT_TOKEN}" } }] }\n`;
const SECRETS =
  'secrets: { EGRESS_TOKEN_0: { file: ./s/0 }, EGRESS_TOKEN_1: { file: /s/1 }, GIT_TOKEN: { file: ../git }, UNUSED: { file: ./u } }\n';

function sidecarsOf(file: ComposeFile): readonly Service[] {
  return Object.entries(file.services).flatMap(([name, service]) => (name === 'agent' ? [] : [service]));
}

function networksOf(service: Service | undefined): readonly string[] {
  const networks = service?.networks ?? [];
  return Array.isArray(networks) ? networks : Object.keys(networks);
}

/** Any bottle, as someone may write it. */
const bottles = fc
  .record({
    name: fc.stringMatching(/^[a-z][a-z0-9]{0,10}$/),
    agent: fc.record(
      {
        image: fc.constantFrom('acme/agent', 'agent:1'),
        command: fc.oneof(fc.string({ minLength: 1 }), fc.array(fc.string(), { minLength: 1, maxLength: 3 })),
        environment: fc.dictionary(fc.stringMatching(/^[A-Z]{1,5}_X$/), fc.string(), { maxKeys: 3 }),
        read_only: fc.boolean(),
        restart: fc.constantFrom('no', 'always', 'on-failure', 'unless-stopped'),
        user: fc.constantFrom('1000', '0', 'root'),
      },
      { requiredKeys: ['image'] },
    ),
    supervise: fc.constantFrom(true, false, { wait: '10s' }),
    git: fc.constantFrom(undefined, { repos: {} }, { repos: { a: { url: 'https://git.example/a/a' } } }),
    mcp: fc.constantFrom(undefined, {
      governance: { mode: 'blocking' },
      tools: [{ name: 't', driver: 'local', command: 't' }],
    }),
  })
  .map((value) => stringify(value));

describe('in every bottle', () => {
  for (const layout of LAYOUTS) {
    it(`of the ${layout} layout the agent is on the inner network alone, which has no way out`, async () => {
      await fc.assert(
        fc.asyncProperty(bottles, async (text) => {
          const { services, networks } = await composeOf(text, layout);
          assert.deepEqual(networksOf(services.agent), ['internal']);
          assert.equal(services.agent?.network_mode, undefined);
          assert.equal(networks.internal?.internal, true);
          assert.deepEqual(services.agent?.dns, ['127.0.0.1']);
        }),
        { numRuns: 100 },
      );
    });

    it(`of the ${layout} layout no container has more rights than are listed`, async () => {
      await fc.assert(
        fc.asyncProperty(bottles, async (text) => {
          const file = await composeOf(text, layout);
          for (const service of Object.values(file.services)) {
            assert.deepEqual(service.cap_drop, ['ALL']);
            assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
            assert.equal(service.privileged, undefined);
          }
          assert.equal(file.services.agent?.cap_add, undefined);
          for (const service of sidecarsOf(file)) {
            assert.deepEqual(service.cap_add, ['CHOWN', 'DAC_OVERRIDE', 'KILL', 'SETGID', 'SETUID']);
            assert.equal(service.read_only, true);
          }
        }),
        { numRuns: 100 },
      );
    });

    it(`of the ${layout} layout the agent waits until every sidecar is healthy`, async () => {
      await fc.assert(
        fc.asyncProperty(bottles, async (text) => {
          const { services } = await composeOf(text, layout);
          const { agent, ...sidecars } = services;
          assert.deepEqual(Object.keys(agent?.depends_on ?? {}), Object.keys(sidecars));
          for (const { condition } of Object.values(agent?.depends_on ?? {}))
            assert.equal(condition, 'service_healthy');
        }),
        { numRuns: 50 },
      );
    });
  }

  it('the same bottle gives the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(bottles, async (text) => {
        assert.deepEqual(await composeOf(text), await composeOf(text));
        assert.deepEqual([...(await planOfText(text)).files], [...(await planOfText(text)).files]);
      }),
      { numRuns: 30 },
    );
  });
});

describe('daemons', () => {
  it('egress and pipelock are always selected, the others where the bottle uses them', async () => {
    assert.deepEqual((await planOfText(`${SMALL}supervise: false\n`)).daemons, ['pipelock', 'egress']);
    assert.deepEqual((await planOfText(SMALL)).daemons, ['pipelock', 'egress', 'supervise']);
    assert.deepEqual((await planOfText(`${SMALL}${GIT}${SECRETS}`)).daemons, [
      'pipelock',
      'egress',
      'git-gate',
      'supervise',
    ]);
    assert.deepEqual((await planOfText(`${SMALL}${GIT}${TOOL}${SECRETS}`)).daemons, [...DAEMONS]);
    assert.deepEqual((await planOfText(`${SMALL}git: { repos: {} }\n`)).daemons, ['pipelock', 'egress', 'supervise']);
  });

  it('each has its alias on the inner network, and the agent goes to it directly', async () => {
    const { services } = await composeOf(`${SMALL}${GIT}${TOOL}${SECRETS}`);
    assert.deepEqual(services.sidecars?.networks, { internal: { aliases: [...DAEMONS] }, outward: {} });
    for (const name of ['NO_PROXY', 'no_proxy']) {
      assert.equal(services.agent?.environment[name], `localhost,127.0.0.1,::1,${DAEMONS.join(',')}`);
    }
    assert.equal(services.sidecars?.environment.BOTTLED_DAEMONS, DAEMONS.join(','));
  });

  it('in the split layout each has a container, and all have the network of one', async () => {
    const { services } = await composeOf(`${SMALL}${GIT}${TOOL}${SECRETS}`, 'split');
    assert.deepEqual(Object.keys(services), ['agent', ...DAEMONS]);
    assert.deepEqual(networksOf(services.pipelock), ['internal', 'outward']);
    for (const name of DAEMONS.slice(1)) {
      assert.equal(services[name]?.network_mode, 'service:pipelock');
      assert.equal(services[name]?.environment.BOTTLED_DAEMONS, name);
    }
    const { warnings } = await planOfText(SMALL, 'split');
    assert.match(warnings.join(), /^compose_agent=false - running in legacy mode/);
  });
});

describe('a container of the split layout', () => {
  it('is restarted with the one whose network it has, and is unhealthy without that', async () => {
    const { services } = await composeOf(`${SMALL}${GIT}${TOOL}${SECRETS}`, 'split');
    // Compose restarts who has the network of another by itself, unless depends_on says something else of that.
    assert.deepEqual(services.egress?.depends_on?.pipelock, { condition: 'service_healthy', restart: true });
    for (const name of DAEMONS.slice(2)) assert.equal(services[name]?.depends_on?.pipelock, undefined);
    for (const name of DAEMONS) {
      const [, check = ''] = services[name]?.healthcheck?.test ?? [];
      assert.equal(check.includes('/proc/net/dev'), name !== 'pipelock', name);
    }
  });
});

describe('credentials', () => {
  it('reach the daemon that uses them as files, and no other', async () => {
    const { services, secrets } = await composeOf(`${SMALL}${ROUTE}${GIT}${TOOL}${SECRETS}`, 'split');
    const targets = (name: string) => services[name]?.secrets?.map(({ target }) => target);
    assert.deepEqual(targets('egress'), ['/run/secrets/egress/EGRESS_TOKEN_0', '/run/secrets/egress/EGRESS_TOKEN_1']);
    assert.deepEqual(targets('git-gate'), ['/run/secrets/git-gate/GIT_TOKEN']);
    assert.deepEqual(targets('mcp-bridge'), ['/run/secrets/mcp-bridge/GIT_TOKEN']);
    assert.equal(targets('pipelock'), undefined);
    assert.equal(targets('supervise'), undefined);
    assert.equal(services.agent?.secrets, undefined);
    assert.deepEqual(secrets, {
      EGRESS_TOKEN_0: { file: './s/0' },
      EGRESS_TOKEN_1: { file: '/s/1' },
      GIT_TOKEN: { file: '../git' },
    });
  });

  it('stand in no variable of any container', async () => {
    for (const layout of LAYOUTS) {
      const { services } = await composeOf(`${SMALL}${ROUTE}${GIT}${TOOL}${SECRETS}`, layout);
      for (const { environment } of Object.values(services)) {
        assert.deepEqual(
          Object.keys(environment).filter((name) => /TOKEN|CANARY|SECRET/.test(name)),
          [],
        );
      }
    }
  });

  it('the key of egress is in a volume that the agent does not have', async () => {
    for (const layout of LAYOUTS) {
      const { services } = await composeOf(SMALL, layout);
      assert.deepEqual(
        services.agent?.volumes.map(({ source, target, read_only }) => [source, target, read_only]),
        [['ca', '/etc/bottled-ca', true]],
      );
    }
  });
});

describe("the engine's socket", () => {
  const DOCKER =
    'mcp: { governance: { mode: blocking }, tools: [{ name: t, driver: local-docker, image: t }] }\nsidecars: { docker_socket: { group: 998 } }\n';

  it('is mounted where a tool runs in a container, for the group of mcp-bridge alone', async () => {
    for (const layout of LAYOUTS) {
      const { services } = await composeOf(`${SMALL}${DOCKER}`, layout);
      const holders = Object.entries(services).filter(([, { volumes }]) =>
        volumes.some(({ source }) => source.endsWith('docker.sock')),
      );
      assert.deepEqual(
        holders.map(([name]) => name),
        [layout === 'bundle' ? 'sidecars' : 'mcp-bridge'],
      );
      assert.equal(holders[0]?.[1].environment.MCP_BRIDGE_USER, 'mcp-bridge:998');
    }
  });

  it('is mounted nowhere without such a tool', async () => {
    const { services } = await composeOf(`${SMALL}${TOOL}${SECRETS}sidecars: { docker_socket: { group: 998 } }\n`);
    assert.doesNotMatch(JSON.stringify(services), /docker\.sock|998/);
  });
});

describe('git in the agent', () => {
  const gitEnvironment = async (repos: string) => {
    const { agent } = await planOfText(`${SMALL}git: { repos: { ${repos} } }\n`);
    return Object.fromEntries([...agent.environment].filter(([name]) => name.startsWith('GIT_CONFIG_')));
  };
  const asked = async (env: Readonly<Record<string, string>>, url: string): Promise<string> => {
    const { stdout } = await execa('git', ['ls-remote', '--get-url', url], { env, cwd: '/' });
    return stdout;
  };

  it('goes to the gate however the upstream is written', async () => {
    const env = await gitEnvironment('app: { url: "https://git.example/acme/app.git" }');
    for (const url of [
      'https://git.example/acme/app.git',
      'https://git.example/acme/app',
      'git@git.example:acme/app.git',
      'git@git.example:acme/app',
      'ssh://git@git.example/acme/app.git',
    ]) {
      assert.equal(await asked(env, url), 'http://git-gate:9420/app.git', url);
    }
    assert.equal(await asked(env, 'https://git.example/acme/other'), 'https://git.example/acme/other');
  });

  it('goes to the right repository where one name begins with another', async () => {
    const env = await gitEnvironment(
      'a: { url: "https://git.example/acme/app" }, b: { url: "https://git.example/acme/app-two.git" }',
    );
    assert.equal(await asked(env, 'https://git.example/acme/app-two'), 'http://git-gate:9420/b.git');
    assert.equal(await asked(env, 'https://git.example/acme/app'), 'http://git-gate:9420/a.git');
  });

  it('goes to the gate for an upstream over ssh at a port of its own', async () => {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f';
    const env = await gitEnvironment(`app: { url: "ssh://git@git.example:2222/acme/app.git", host_key: "${key}" }`);
    assert.equal(await asked(env, 'ssh://git@git.example:2222/acme/app'), 'http://git-gate:9420/app.git');
    assert.equal(await asked(env, 'git@git.example:acme/app'), 'git@git.example:acme/app');
  });
});

describe('relative paths', () => {
  it('count from the bottle, wherever the rendered file goes', async () => {
    const plan = await planOfText(`${SMALL}${ROUTE}${SECRETS}`);
    const { renderCompose } = await import('../../compose/compose/render.ts');
    const text = renderCompose({ ...plan, directory: '../bottle' }).get('compose.yaml') ?? '';
    assert.match(text, /file: \.\.\/bottle\/s\/0\n/);
    assert.match(text, /file: \/s\/1\n/);
    assert.match(text, /source: \.\/config\n/);
  });
});
