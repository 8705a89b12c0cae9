import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from './container.ts';
import { docker, noEngine, sidecarsImage } from './engine.ts';

const DEFAULTS = fileURLToPath(new URL('../../daemons/defaults', import.meta.url));

/** Docker's own patience before it kills, in seconds; a bundle that needed it did not stop by itself. */
const DOCKER_WAITS_S = 10;

describe('signals from docker', { skip: noEngine, concurrency: 2 }, () => {
  before(sidecarsImage, { timeout: 900_000 });

  test('docker stop ends all five daemons well, by themselves', async (t) => {
    const container = await run(t);
    await container.health('healthy');
    const start = performance.now();
    await docker('stop', '--time', String(DOCKER_WAITS_S), container.id);
    const took_ms = performance.now() - start;
    t.diagnostic(`docker stop took ${Math.round(took_ms)} ms`);
    assert.equal(await container.ended(), 0);
    assert.doesNotMatch(await container.logs(), /SIGKILL|killed-after-grace/);
    assert.ok(took_ms < DOCKER_WAITS_S * 1000);
  });

  test('docker stop while the init itself still starts ends the container at once', async (t) => {
    const container = await run(t, { bundle: 'daemons: { a: { command: [sleep, "600"] } }' });
    await docker('stop', container.id);
    assert.notEqual(await container.ended(), 137);
  });

  test('docker kill -s HUP reaches the daemons that the bundle names, and restarts none', async (t) => {
    const container = await run(t, {
      bundle: `signals: { SIGHUP: { signal: [a] } }
daemons:
  a: { command: [sh, -c, "trap 'echo a heard it' HUP; echo up; while :; do sleep 0.1; done"], ready: { log: up } }
  b: { command: [sh, -c, "trap 'echo b heard it' HUP; echo up; while :; do sleep 0.1; done"], ready: { log: up } }`,
    });
    await container.saw(/→ running/, 2);
    await docker('kill', '--signal', 'HUP', container.id);
    await container.saw(/a heard it/);
    const { daemons } = await container.status();
    assert.deepEqual(
      daemons.map(({ restarts }) => restarts),
      [0, 0],
    );
    assert.doesNotMatch(await container.logs(), /b heard it/);
  });

  test('a routes.yaml that is replaced in the mounted directory is in force without a restart', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'bottled-config-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    chmodSync(directory, 0o755);
    cpSync(DEFAULTS, directory, { recursive: true });
    const container = await run(t, { options: ['--volume', `${directory}:/etc/bottled:ro`] });
    await container.health('healthy');
    const { pid } = await container.daemon('egress');
    writeFileSync(join(directory, 'routes.yaml'), 'routes: [{ host: api.example.com }]\n');
    await docker('kill', '--signal', 'HUP', container.id);
    await container.saw(/loaded 1 route/);
    assert.equal((await container.daemon('egress')).pid, pid);
  });

  test('docker kill -s USR1 restarts pipelock alone, and pipelock never gets the signal', async (t) => {
    const container = await run(t);
    await container.health('healthy');
    const before = (await container.status()).daemons;
    await docker('kill', '--signal', 'USR1', container.id);
    await container.saw(/"pipelock".*→ running/, 2);
    const after = (await container.status()).daemons;
    const changed = after.filter(({ name, pid }) => before.find((old) => old.name === name)?.pid !== pid);
    assert.deepEqual(
      changed.map(({ name }) => name),
      ['pipelock'],
    );
    assert.doesNotMatch(await container.logs(), /usr1-ignored/);
  });

  test('behind docker run --init: signals, orphans and the exit code are as without', async (t) => {
    const container = await run(t, {
      options: ['--init'],
      bundle: `daemons:
  a:
    command: [sh, -c, "trap 'exit 9' TERM; sh -c 'setsid sleep 0.2 &'; echo up; while :; do sleep 0.1; done"]
    ready: { log: up }`,
    });
    await container.saw(/→ running/);
    const { output } = await container.exec('sh', '-c', 'cat /proc/1/comm; bottled status --json');
    const [first = '', ...rest] = output.split('\n');
    assert.match(first, /docker-init|tini/);
    assert.notEqual(JSON.parse(rest.join('\n')).bundle.pid, 1);
    await docker('stop', container.id);
    assert.equal(await container.ended(), 9);
  });
});
