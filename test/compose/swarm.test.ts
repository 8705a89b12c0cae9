import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { execa, execaSync } from 'execa';
import { parse } from 'yaml';
import { parseBottle } from '../../compose/bottle/load.ts';
import { planOf } from '../../compose/plan.ts';
import { sealedFiles } from '../../compose/render.ts';
import { renderSwarm } from '../../compose/swarm/render.ts';
import { formatProblem } from '../../config/problem.ts';
import { assertGolden, BOTTLES, CLUSTER, planOfFile, problemsOf, ROOT } from './rendered.ts';

const noDocker =
  execaSync('docker', ['stack', 'config', '--help'], { reject: false }).exitCode === 0
    ? false
    : 'there is no docker stack config here';

const FULL = readFileSync(CLUSTER, 'utf8');

/** Words of Compose that \`docker stack deploy\` passes over, or refuses. */
const UNKNOWN_TO_SWARM = [
  'build',
  'container_name',
  'depends_on',
  'devices',
  'ipc',
  'links',
  'mem_limit',
  'network_mode',
  'pid',
  'privileged',
  'restart',
  'security_opt',
  'shm_size',
  'tmpfs',
  'userns_mode',
];

async function filesOf(bottle: string): Promise<ReadonlyMap<string, string>> {
  const loaded = await parseBottle('/project/bottle/bottle.yaml', bottle, { engine: 'swarm' });
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'));
  return renderSwarm(planOf(loaded.bottle, loaded.written, { layout: 'bundle' }));
}

async function stackOf(bottle: string) {
  return parse((await filesOf(bottle)).get('stack.yaml') ?? '', { schema: 'yaml-1.1' });
}

describe('a bottle on Docker Swarm', () => {
  it('is rendered as it stands in golden/', async () => {
    // To write it anew: UPDATE_GOLDEN=1 node --test test/compose/swarm.test.ts
    const files = sealedFiles(renderSwarm, await planOfFile(BOTTLES.example ?? '', 'bundle', 'swarm'));
    assertGolden(join(ROOT, 'test/compose/golden/example/swarm'), files);
  });

  it('is a stack to docker, with every "$" of the bottle as it is written', { skip: noDocker }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'bottled-stack-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'stack.yaml');
    writeFileSync(file, (await filesOf(FULL)).get('stack.yaml') ?? '');
    const { stdout, stderr } = await execa('docker', ['stack', 'config', '--compose-file', file], {
      env: { B: 'put in', HOME: 'put in' },
    });
    assert.equal(stderr, '');
    const { services, secrets, volumes } = parse(stdout);
    assert.equal(volumes.data.driver_opts.device, ':/a$b');
    assert.deepEqual(services.agent.entrypoint, ['/usr/bin/env', 'A=$B']);
    assert.deepEqual(services.agent.command, ['run', '--price', '$5', '$(HOME)']);
    const { PRICE, REFERENCE, SPELLED } = services.agent.environment;
    assert.deepEqual([PRICE, REFERENCE, SPELLED], ['$5', `$${'{HOME}'}`, 'on']);
    assert.equal(services.agent.deploy.resources.limits.memory, String(1536 * 1024 ** 2));
    assert.equal(services.sidecars.secrets[0].mode, 0o400);
    assert.equal(secrets.EGRESS_TOKEN_API.name, 'full-EGRESS_TOKEN_API-1');
  });

  it('uses no word that Swarm passes over', async () => {
    const { services } = await stackOf(FULL);
    for (const service of Object.values<object>(services)) {
      assert.deepEqual(
        Object.keys(service).filter((key) => UNKNOWN_TO_SWARM.includes(key)),
        [],
      );
    }
  });

  it('puts the agent on a network without a way out, and the bundle on both', async () => {
    const { services, networks } = await stackOf(FULL);
    assert.deepEqual(services.agent.networks, ['internal']);
    assert.equal(networks.internal.internal, true);
    assert.deepEqual(Object.keys(services.sidecars.networks), ['internal', 'outward']);
    assert.deepEqual(services.agent.dns, ['127.0.0.1']);
    assert.deepEqual([services.agent.cap_drop, services.agent.read_only], [['ALL'], true]);
    assert.equal(services.agent.secrets, undefined);
    assert.equal(services.agent.configs, undefined);
    const mounts: { source?: string; read_only?: boolean }[] = services.agent.volumes;
    assert.deepEqual(
      mounts.map(({ source }) => source).filter((source) => source === 'data'),
      [],
    );
    assert.equal(mounts.find(({ source }) => source === 'ca')?.read_only, true);
  });

  it('names a config by what it holds: a changed file is a new one, and no other is', async () => {
    const names = async (bottle: string) => Object.keys((await stackOf(bottle)).configs);
    const before = await names(FULL);
    const after = await names(FULL.replace('api.example.com', 'api.example.org'));
    assert.deepEqual(await names(FULL), before);
    assert.deepEqual(
      before.filter((name) => !after.includes(name)).map((name) => name.replace(/-[0-9a-f]+$/, '')),
      ['routes'],
    );
    for (const name of before) assert.ok(`${'b'.repeat(40)}_${name}`.length <= 64, name);
  });

  it('gives each secret as a file to the daemon that uses it, for root alone', async () => {
    const { services, secrets } = await stackOf(FULL);
    const at = (target: string, source: string) => ({ source, target, uid: '0', gid: '0', mode: 0o400 });
    assert.deepEqual(services.sidecars.secrets, [
      at('/run/secrets/egress/EGRESS_TOKEN_API', 'EGRESS_TOKEN_API'),
      at('/run/secrets/git-gate/TOOLS_TOKEN', 'TOOLS_TOKEN'),
      at('/run/secrets/mcp-bridge/TOOLS_TOKEN', 'TOOLS_TOKEN'),
    ]);
    assert.deepEqual(secrets.TOOLS_TOKEN, { external: true, name: 'full-TOOLS_TOKEN' });
  });

  it('keeps agent and bundle on the nodes that the bottle names', async () => {
    const { services } = await stackOf(FULL);
    const wanted = { constraints: ['node.labels.bottles == yes'] };
    assert.deepEqual([services.agent.deploy.placement, services.sidecars.deploy.placement], [wanted, wanted]);
  });

  it('ends the old bundle before the new one starts, and goes back where that one is not healthy', async () => {
    const { update_config, rollback_config, replicas } = (await stackOf(FULL)).services.sidecars.deploy;
    assert.equal(replicas, 1);
    assert.deepEqual([update_config.order, update_config.failure_action], ['stop-first', 'rollback']);
    assert.equal(rollback_config.order, 'stop-first');
  });

  it('refuses a secret whose name Swarm would not take', async () => {
    const token = `EGRESS_TOKEN_${'A'.repeat(20)}`;
    const bottle = (name: string) => `name: ${name}
agent: { image: b }
egress: { routes: [{ host: a.example, token_env: ${token}, auth_scheme: Bearer }] }
secrets: { ${token}: { file: ./a } }`;
    assert.equal((await filesOf(bottle('a'.repeat(26)))).has('stack.yaml'), true);
    const [problem = ''] = await problemsOf(bottle('a'.repeat(27)), 'swarm');
    assert.match(problem, /^bottle\.yaml:4:12: secrets\.EGRESS_TOKEN_A+: is too long for Swarm: .* has 61 characters/);
  });

  it('refuses the socket of an engine', async () => {
    const bottle = `name: a
agent: { image: b }
sidecars: { docker_socket: { group: 998 } }
mcp: { governance: { mode: blocking }, tools: [{ name: t, driver: local-docker, image: c }] }`;
    assert.match((await problemsOf(bottle, 'swarm')).join('\n'), /sidecars\.docker_socket: is for Compose/);
  });
});
