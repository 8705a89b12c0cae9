import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { createDockerManager } from '../../../../daemons/mcp-bridge/tools/docker.ts';
import { StartError } from '../../../../daemons/mcp-bridge/tools/process.ts';
import { makeImage, removeImage, whyNoDocker } from './docker-image.ts';
import { fixture, listen, oddSeconds, processesWith, until } from './fixture.ts';

const IMAGE = `bottled-docker-${process.pid}`;
const log = (): void => {};

test('an engine that cannot be reached is told in one line', async () => {
  const variables = { ...process.env, DOCKER_HOST: 'unix:///no/such/socket' };
  const manager = createDockerManager({ instance: 'x', variables, log });
  await assert.rejects(
    listen(manager, fixture('echo', '', { image: 'x' })),
    (error: unknown) =>
      error instanceof StartError && /cannot be created/.test(error.message) && !error.message.includes('\n'),
  );
  const nowhere = createDockerManager({ instance: 'x', variables, log, program: '/no/such/docker' });
  await assert.rejects(listen(nowhere, fixture('echo', '', { image: 'x' })), /there is no program \/no\/such\/docker/);
  await nowhere.sweep();
});

describe('containers of tools', { skip: whyNoDocker() ?? false, timeout: 120_000 }, () => {
  const manager = createDockerManager({ instance: `d${process.pid}`, variables: process.env, log });
  before(() => makeImage(IMAGE));
  after(async () => {
    await manager.sweep();
    removeImage(IMAGE);
  });

  test('have no network, no capability, no way to more privileges, a read-only root, bounds, a label and no log', async () => {
    const limits = { memory: 32 * 1024 ** 2, cpus: 0.5, pids: 20 };
    const secret = `value${oddSeconds()}`;
    const environment = { TOKEN: secret, DOCKER_HOST: 'tcp://elsewhere' };
    const heard = await listen(manager, fixture('idle', oddSeconds(), { image: IMAGE, limits, environment }));
    await heard.said(1);
    const name = heard.tool.id.replace('container ', '');
    assert.match(name, new RegExp(`^bottled-d${process.pid}-fixture-[0-9a-f]{12}$`));
    const [{ HostConfig: host, Config: config }] = JSON.parse(
      execFileSync('docker', ['inspect', name], { encoding: 'utf8' }),
    );
    assert.equal(host.NetworkMode, 'none');
    assert.deepEqual(host.CapDrop, ['ALL']);
    assert.equal(host.CapAdd, null);
    assert.deepEqual(host.SecurityOpt, ['no-new-privileges']);
    assert.equal(host.ReadonlyRootfs, true);
    assert.equal(host.Privileged, false);
    assert.equal(host.Init, true);
    assert.equal(host.AutoRemove, true);
    assert.deepEqual(
      [host.Memory, host.MemorySwap, host.NanoCpus, host.PidsLimit],
      [limits.memory, limits.memory, 5e8, 20],
    );
    assert.equal(host.LogConfig.Type, 'none');
    assert.deepEqual(config.Labels, { 'bottled.instance': `d${process.pid}`, 'bottled.tool': 'fixture' });
    assert.ok(config.Env.includes(`TOKEN=${secret}`));
    assert.ok(config.Env.includes('DOCKER_HOST=tcp://elsewhere'));
    await heard.tool.stop();
    assert.equal(
      execFileSync('docker', ['ps', '--all', '--quiet', '--filter', `name=${name}`], { encoding: 'utf8' }),
      '',
    );
  });

  test('are gone even where the docker program itself is killed', async () => {
    const mark = oddSeconds();
    const heard = await listen(manager, fixture('idle', mark, { image: IMAGE }));
    await heard.said(1);
    const name = heard.tool.id.replace('container ', '');
    const [client] = processesWith(name).filter((pid) => pid !== process.pid);
    process.kill(client ?? assert.fail('there is no docker program'), 'SIGKILL');
    const end = await heard.tool.ended;
    assert.deepEqual([end.kind, end.asked], ['signal', false]);
    await until(() => processesWith(mark).length === 0);
  });

  test('an image that is not there is a fault that another try cannot mend', async () => {
    await assert.rejects(
      listen(manager, fixture('echo', '', { image: `${IMAGE}-missing:1` })),
      (error: unknown) => error instanceof StartError && error.message.includes('its container cannot be created'),
    );
  });
});
