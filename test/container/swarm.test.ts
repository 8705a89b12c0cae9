import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { execa } from 'execa';
import { renderSwarm } from '../../compose/swarm/render.ts';
import { until } from './container.ts';
import { docker, noEngine, sidecarsImage } from './engine.ts';
import { askScript, originBottle } from './origin-bottle.ts';

const isManager = noEngine === false && (await docker('info', '--format', '{{.Swarm.ControlAvailable}}')) === 'true';
const skip = noEngine || (isManager ? false : 'needs a swarm: docker swarm init');

/** A server outside the bottle, on the way out of its bundle. It tells which credential came with a request. */
const ORIGIN = `require('node:http').createServer((q, s) => s.end('origin saw ' + q.headers.authorization)).listen(8000)`;

const { name, credential, plan } = originBottle('swarm');
const agentImage = `${name}-agent`;
const directory = mkdtempSync(join(tmpdir(), 'bottled-swarm-'));

/** Renders the bottle with routes to these hosts, and deploys it. */
async function deploy(...hosts: readonly string[]): Promise<void> {
  const sections = {
    agent: { image: agentImage, command: ['sleep', 'infinity'], restart: 'always', stop_grace_period: '1s' },
    sidecars: { image: await sidecarsImage() },
    model: { model: 'acme/small', mock: true },
  };
  for (const [path, text] of renderSwarm(plan(sections, hosts))) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  writeFileSync(join(directory, 'token'), credential, { mode: 0o600 });
  await docker('stack', 'deploy', '--compose-file', join(directory, 'stack.yaml'), name);
}

/** The container of a service that runs now and, where it has a check, is healthy; never one of `before`. */
function running(service: 'agent' | 'sidecars', before: readonly string[] = []): Promise<string> {
  const filters = ['--filter', `label=com.docker.swarm.service.name=${name}_${service}`, '--filter', 'status=running'];
  return until(
    async () => {
      const health = service === 'sidecars' ? ['--filter', 'health=healthy'] : [];
      const [id, ...others] = (await docker('ps', '--quiet', '--no-trunc', ...filters, ...health)).split('\n');
      return id === undefined || id === '' || others.length > 0 || before.includes(id) ? undefined : id;
    },
    async () =>
      `${service} does not run: ${await docker('service', 'ps', '--no-trunc', `${name}_${service}`)}\n${await docker('service', 'logs', `${name}_${service}`)}`,
  );
}

/** What a program in the agent's container gets from this address, by the variables that it was given. */
async function ask(url: string): Promise<string> {
  return await docker('exec', await running('agent'), 'node', '-e', askScript(url));
}

function answers(url: string, wanted: RegExp): Promise<string> {
  let last = '';
  return until(
    async () => {
      last = await ask(url);
      return wanted.test(last) ? last : undefined;
    },
    async () => `${url}: ${last}\n${await docker('service', 'logs', `${name}_sidecars`)}`,
  );
}

/** Everything of the stack that Swarm still knows, volumes apart. */
async function leftOver(): Promise<string> {
  const label = ['--filter', `label=com.docker.stack.namespace=${name}`, '--quiet'];
  const kinds = [
    ['service', 'ls'],
    ['network', 'ls'],
    ['config', 'ls'],
    ['secret', 'ls'],
    ['ps', '--all'],
  ];
  const found = await Promise.all(kinds.map((kind) => docker(...kind, ...label)));
  return found.filter((each) => each !== '').join('\n');
}

describe('a bottle on Docker Swarm', { skip, timeout: 300_000 }, () => {
  before(async () => {
    const recipe = `FROM ${await sidecarsImage()}\nHEALTHCHECK NONE\nENTRYPOINT []\nUSER 1000\n`;
    await execa('docker', ['build', '--quiet', '--tag', agentImage, '-'], { input: recipe, timeout: 120_000 });
    await deploy('origin');
    const origin = [
      '--detach',
      '--name',
      `${name}-origin`,
      '--network',
      `name=${name}_outward,alias=origin,alias=second`,
    ];
    await docker('service', 'create', ...origin, '--endpoint-mode', 'dnsrr', agentImage, 'node', '-e', ORIGIN);
  });

  after(async () => {
    const quietly = { reject: false, timeout: 60_000 } as const;
    await execa('docker', ['service', 'rm', `${name}-origin`], quietly);
    await execa('docker', ['stack', 'rm', name], quietly);
    await until(
      async () => ((await leftOver()) === '' ? true : undefined),
      async () => `left over: ${await leftOver()}`,
    );
    await execa('docker', ['volume', 'rm', `${name}_data`, `${name}_ca`], quietly);
    // Swarm takes containers away some time after their service.
    await until(
      async () => ((await execa('docker', ['image', 'rm', agentImage], quietly)).exitCode === 0 ? true : undefined),
      async () => `${agentImage} is still used`,
    );
    rmSync(directory, { recursive: true, force: true });
  });

  test('an allowed request of the agent passes, with the credential that only egress has', async () => {
    assert.match(await answers('http://origin:8000/', /^200/), new RegExp(`^200 origin saw Bearer ${credential}`));
    assert.match(await ask('http://second:8000/'), /^403/);
    const agent = await docker('inspect', await running('agent'));
    assert.ok(!agent.includes(credential));
    assert.equal(await docker('exec', await running('agent'), 'ls', '/etc/bottled-ca'), 'certificate.pem');
  });

  test('the agent has no route out, and no name resolves but those of the bundle', async () => {
    const agent = await running('agent');
    const routes = await docker('exec', agent, 'cat', '/proc/net/route');
    assert.ok(!/^\S+\s+00000000\s/m.test(routes), routes);
    const bundle = await running('sidecars');
    const resolves = async (container: string, host: string) => {
      const got = await execa('docker', ['exec', container, 'getent', 'hosts', host], {
        reject: false,
        timeout: 60_000,
      });
      // 2 is the word of getent for a name that is not found (getent(1)); docker's own failures are others.
      assert.ok(got.exitCode === 0 || got.exitCode === 2, `${got.message}`);
      return got.exitCode === 0;
    };
    assert.ok(await resolves(agent, 'egress'));
    assert.ok(!(await resolves(agent, 'origin')));
    assert.ok(await resolves(bundle, 'origin'), 'the check can fail: the bundle resolves it');
  });

  test('the guards that Swarm knows are in force', async () => {
    const shown = '{{json .HostConfig.CapDrop}} {{.HostConfig.ReadonlyRootfs}} {{json .HostConfig.CapAdd}}';
    assert.equal(await docker('inspect', '--format', shown, await running('agent')), '["ALL"] true null');
    assert.equal(
      await docker('inspect', '--format', shown, await running('sidecars')),
      '["ALL"] true ["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_KILL","CAP_SETGID","CAP_SETUID"]',
    );
  });

  test('the agent asks the model of the bottle by way of egress, and reaches it in no other way', async () => {
    const url = await docker('exec', await running('agent'), 'printenv', 'LLM_SIDECAR_URL');
    assert.match(await answers(`${url}/models`, /^200/), /acme\/small/);
    assert.match(await ask(`${url}/load_lora_adapter`), /^403/);
    const direct = await execa('docker', ['exec', await running('agent'), 'getent', 'hosts', new URL(url).hostname], {
      reject: false,
      timeout: 60_000,
    });
    assert.equal(direct.exitCode, 2);
  });

  test('a bundle that is killed is rescheduled, and the work goes on', async () => {
    const first = await running('sidecars');
    await docker('kill', first);
    assert.notEqual(await running('sidecars', [first]), first);
    await answers('http://origin:8000/', /^200 origin saw Bearer/);
  });

  test('an update rolls: a changed route is a new config and a new bundle', async () => {
    const first = await running('sidecars');
    await deploy('origin', 'second');
    assert.notEqual(await running('sidecars', [first]), first);
    await answers('http://second:8000/', /^200 origin saw Bearer/);
    const configs = await docker('config', 'ls', '--filter', `label=com.docker.stack.namespace=${name}`, '--quiet');
    assert.equal(configs.split('\n').length, 3, 'routes of before and now, and pipelock');
  });

  test('docker stack rm leaves nothing but the volumes', async () => {
    await docker('service', 'rm', `${name}-origin`);
    await docker('stack', 'rm', name);
    await until(
      async () => ((await leftOver()) === '' ? true : undefined),
      async () => `left over: ${await leftOver()}`,
    );
    const volumes = await docker('volume', 'ls', '--quiet', '--filter', `label=com.docker.stack.namespace=${name}`);
    assert.deepEqual(volumes.split('\n').sort(), [`${name}_ca`, `${name}_data`]);
  });
});
