import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { GenericContainer, Wait } from 'testcontainers';
import { containerOf, run, until } from './container.ts';
import { composeCommand, noEngine, sidecarsImage } from './engine.ts';

const noCompose: string | false = composeCommand === undefined ? 'needs docker compose' : false;

/** One failed probe is enough for docker. */
const AT_ONCE = ['--health-retries', '1'] as const;

/** One essential daemon that is ready as long as its file is there. */
const BY_FILE = `daemons:
  a:
    command: [sleep, "600"]
    essential: true
    on_unhealthy: ignore
    healthcheck: { test: [CMD, test, -e, /run/ok], interval: 200ms, start_interval: 100ms, start_period: 60s, retries: 1 }`;

describe('health, as docker reports it', { skip: noEngine }, () => {
  before(sidecarsImage, { timeout: 900_000 });

  test('the image with its own defaults becomes healthy', async (t) => {
    const started = await new GenericContainer(await sidecarsImage()).withWaitStrategy(Wait.forHealthCheck()).start();
    t.after(() => started.stop());
    const container = containerOf(started.getId());
    await container.allReady();
    assert.equal((await container.status()).daemons.length, 5);
  });

  test('starting, healthy, unhealthy, and healthy again after a restart of the daemon', async (t) => {
    const container = await run(t, { bundle: BY_FILE, options: [...AT_ONCE, '--health-start-period', '60s'] });
    await container.health('starting');
    await container.exec('touch', '/run/ok');
    await container.health('healthy');
    await container.exec('rm', '/run/ok');
    await container.health('unhealthy');
    assert.match(await container.inspect('{{json .State.Health.Log}}'), /unhealthy: a is not ready/);
    const { pid } = await container.daemon('a');
    const restarted = container.exec('bottled', 'restart', 'a');
    await container.exec('touch', '/run/ok');
    assert.equal((await restarted).code, 0);
    await container.health('healthy');
    assert.notEqual((await container.daemon('a')).pid, pid);
  });

  test('degraded is healthy for docker, and the text says who is to blame', async (t) => {
    const container = await run(t, {
      bundle: `daemons:
  a: { command: [sleep, "600"], essential: true }
  b: { command: [sh, -c, "exit 3"] }`,
      options: AT_ONCE,
    });
    await container.health('healthy');
    await container.saw(/degraded/);
    assert.match((await container.exec('healthcheck')).output, /^degraded: b is not ready/);
    assert.equal((await container.exec('healthcheck')).code, 0);
    assert.equal((await container.exec('healthcheck', '--strict')).code, 1);
  });

  test('an init that hangs is unhealthy, and healthy when it goes on', async (t) => {
    const container = await run(t, { bundle: 'daemons: { a: { command: [sleep, "600"] } }', options: AT_ONCE });
    await container.health('healthy');
    const pid = Number(await container.inspect('{{.State.Pid}}'));
    process.kill(pid, 'SIGSTOP');
    await container.health('unhealthy');
    assert.match(await container.inspect('{{json .State.Health.Log}}'), /the init has not reported for \d+ s/);
    process.kill(pid, 'SIGCONT');
    await container.health('healthy');
  });

  test('depends_on: service_healthy holds the agent back until then', { skip: noCompose }, async (t) => {
    const project = await composeProject(t, {
      services: {
        sidecars: {
          image: await sidecarsImage(),
          command: ['--file', '/test/bundle.yaml'],
          volumes: ['./bundle.yaml:/test/bundle.yaml:ro'],
          healthcheck: { test: ['CMD', 'healthcheck'], interval: '1s', start_period: '60s' },
        },
        agent: {
          image: await sidecarsImage(),
          entrypoint: ['sleep', '600'],
          healthcheck: { disable: true },
          depends_on: { sidecars: { condition: 'service_healthy' } },
        },
      },
    });
    writeFileSync(join(project.directory, 'bundle.yaml'), BY_FILE);
    const up = project.compose('up', '--detach');
    const sidecars = containerOf(await project.idOf('sidecars'));
    await sidecars.health('starting');
    const agent = containerOf(await project.idOf('agent'));
    assert.equal(await agent.inspect('{{.State.Status}}'), 'created');
    await sidecars.exec('touch', '/run/ok');
    await up;
    assert.equal(await agent.inspect('{{.State.Status}}'), 'running');
    const healthySince = JSON.parse(await sidecars.inspect('{{json .State.Health.Log}}')).find(
      (entry: { ExitCode: number }) => entry.ExitCode === 0,
    ).End;
    assert.ok(Date.parse(await agent.inspect('{{.State.StartedAt}}')) >= Date.parse(healthySince));
  });
});

interface Project {
  readonly directory: string;
  compose(...args: readonly string[]): Promise<string>;
  /** Of the container of a service, as soon as there is one. */
  idOf(service: string): Promise<string>;
}

/** A project of Compose in a directory of its own, taken down at the end of the test. */
async function composeProject(t: TestContext, file: object): Promise<Project> {
  const directory = mkdtempSync(join(tmpdir(), 'bottled-compose-'));
  writeFileSync(join(directory, 'compose.yaml'), JSON.stringify(file));
  const [program, ...first] = composeCommand ?? ['docker', 'compose'];
  const compose = async (...args: readonly string[]): Promise<string> =>
    (await execa(program, [...first, '--project-directory', directory, ...args], { cwd: directory, timeout: 120_000 }))
      .stdout;
  t.after(async () => {
    await compose('down', '--volumes', '--timeout', '2');
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    directory,
    compose,
    idOf: (service) =>
      until(
        async () => (await compose('ps', '--all', '--quiet', service)) || undefined,
        async () => `there is no container of ${service}`,
      ),
  };
}
