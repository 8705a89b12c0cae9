import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { run, until } from './container.ts';
import { docker, noEngine, sidecarsImage } from './engine.ts';

/** Prints the state of each process of the container that is a zombie. */
const ZOMBIES = ['sh', '-c', 'cat /proc/[0-9]*/stat 2>/dev/null | grep " Z " || true'] as const;

/** Docker gives up on a probe at once. */
const QUICK = ['interval=200ms', 'timeout=200ms', 'start-period=1ms', 'retries=1'].map((each) => `--health-${each}`);

/** The limit of memory that one daemon runs into. */
const LIMIT_MB = 150;

describe('process 1 of a container', { skip: noEngine }, () => {
  before(sidecarsImage, { timeout: 900_000 });

  test('is the init, and nothing else stands in front of it', async (t) => {
    const container = await run(t, { bundle: 'daemons: { a: { command: [sleep, "600"] } }' });
    await container.saw(/→ running/);
    assert.equal((await container.status()).bundle.pid, 1);
    assert.match((await container.exec('cat', '/proc/1/cmdline')).output, /dist\/main\.cjs\0run/);
  });

  test('collects a thousand orphans', async (t) => {
    const container = await run(t, {
      bundle: `daemons:
  a:
    command: [sh, -c, "i=0; while [ $$i -lt 1000 ]; do (setsid true &) ; i=$$((i+1)); done; echo done; exec sleep 600"]
    ready: { log: done }`,
    });
    await container.saw(/→ running/);
    await until(
      async () => (await container.exec(...ZOMBIES)).output === '' || undefined,
      async () => (await container.exec(...ZOMBIES)).output,
    );
  });

  test('no zombie is left by hundreds of probes with docker exec, and the bundle is as it was', async (t) => {
    const container = await run(t, { bundle: 'daemons: { a: { command: [sleep, "600"] } }' });
    await container.health('healthy');
    const before = await container.status();
    const prober = async (): Promise<void> => {
      for (let count = 0; count < 50; count++) assert.equal((await container.exec('healthcheck')).code, 0);
    };
    await Promise.all([prober(), prober(), prober(), prober()]);
    assert.equal((await container.exec(...ZOMBIES)).output, '');
    const after = await container.status();
    assert.deepEqual(
      after.daemons.map(({ pid }) => pid),
      before.daemons.map(({ pid }) => pid),
    );
  });

  test('a probe that docker kills leaves no zombie', async (t) => {
    const container = await run(t, {
      bundle: 'daemons: { a: { command: [sleep, "600"] } }',
      options: [...QUICK, '--health-cmd', 'sleep 1 >/dev/null 2>&1 & sleep 600'],
    });
    await container.health('unhealthy');
    await until(
      async () => (await container.exec(...ZOMBIES)).output === '' || undefined,
      async () => (await container.exec(...ZOMBIES)).output,
    );
  });

  test('a daemon that is not root may open /dev/stdout and /dev/stderr', async (t) => {
    const container = await run(t, {
      bundle: `daemons:
  a: { user: egress, command: [sh, -c, "id -un > /dev/stdout; echo to stderr > /dev/stderr; echo by fd > /proc/self/fd/1"] }`,
    });
    assert.equal(await container.ended(), 0, await container.logs());
    const logs = await container.logs();
    for (const line of ['egress', 'to stderr', 'by fd']) assert.match(logs, new RegExp(`"message":"${line}"`));
  });

  test('a daemon that is killed for lack of memory is told apart and restarted; the others stay', async (t) => {
    const container = await run(t, {
      options: ['--memory', `${LIMIT_MB}m`, '--memory-swap', `${LIMIT_MB}m`],
      bundle: `daemons:
  hungry:
    command: [sh, -c, "[ -e /run/once ] || { touch /run/once; exec tail /dev/zero; }; echo fed; exec sleep 600"]
    ready: { log: fed }
    restart: always
  modest: { command: [sleep, "600"] }`,
    });
    await container.saw(/"hungry".*→ running/);
    await container.saw(/"modest".*→ running/);
    const hungry = await container.daemon('hungry');
    assert.deepEqual([hungry.cause, hungry.restarts], ['out-of-memory', 1], await container.logs());
    assert.equal((await container.daemon('modest')).restarts, 0);
    assert.equal(await container.inspect('{{.State.Running}}'), 'true');
  });

  test('with a PID namespace shared from elsewhere it is not process 1, ends with the right code, and kills nobody else', async (t) => {
    const image = await sidecarsImage();
    const neighbour = await docker('run', '--detach', '--entrypoint', 'sleep', '--no-healthcheck', image, '600');
    t.after(() => docker('rm', '--force', '--volumes', neighbour));
    const container = await run(t, {
      options: ['--pid', `container:${neighbour}`],
      bundle: `daemons:
  a:
    command: [sh, -c, "trap 'exit 9' TERM; sh -c 'setsid sleep 600 &'; echo up; while :; do sleep 0.1; done"]
    ready: { log: up }`,
    });
    await container.saw(/→ running/);
    assert.notEqual((await container.status()).bundle.pid, 1);
    await docker('stop', container.id);
    assert.equal(await container.ended(), 9);
    assert.equal(await docker('inspect', '--format', '{{.State.Running}}', neighbour), 'true');
    const left = (await docker('top', neighbour, '-o', 'pid,args')).split('\n').slice(1);
    assert.equal(left.length, 1, left.join('\n'));
  });
});
