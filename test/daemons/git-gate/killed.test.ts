import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { AGENT_ENV, commit, git, makeWorld, must, refsOf, startGate, type World, yamlFor } from './world.ts';

/** An upstream whose hook says that it has begun, and waits until `hold` is gone. */
async function slowUpstream(upstream: string): Promise<void> {
  const hook = join(upstream, 'hooks', 'pre-receive');
  writeFileSync(hook, `#!/bin/sh\ntouch '${upstream}/begun'\nwhile [ -e '${upstream}/hold' ]; do sleep 0.05; done\n`);
  chmodSync(hook, 0o755);
  writeFileSync(join(upstream, 'hold'), '');
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Starts a push, and waits until upstream is at it. */
async function pushUntilUpstream({ agent, upstream }: World) {
  await commit(agent, { 'a.txt': 'a', 'b.txt': 'b'.repeat(100_000) });
  const push = execa('git', ['push', 'origin', 'HEAD:refs/heads/work'], {
    cwd: agent,
    env: AGENT_ENV,
    extendEnv: false,
    reject: false,
    detached: true,
  });
  await until(() => existsSync(join(upstream, 'begun')), 'the push reaches upstream');
  // In an object, since awaiting the push itself would wait for its end.
  return { push };
}

async function assertWhole(data: string): Promise<void> {
  const mirror = join(data, 'mirrors', 'demo.git');
  const checked = await git(mirror, ['fsck', '--full', '--strict']);
  assert.equal(checked.code, 0, checked.said);
  const files = readdirSync(mirror, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(
    files.filter((name) => /\.lock$|tmp_objdir|tmp_pack|tmp_idx/.test(name)),
    [],
  );
}

test('a push whose client is killed half-way leaves the mirror whole, and the next push works', async (t) => {
  const world = await makeWorld(t, { prepare: slowUpstream });
  const { push } = await pushUntilUpstream(world);
  process.kill(-(push.pid ?? 0), 'SIGKILL');
  await push;
  const line = await world.gate.logged('push-refused');
  assert.equal(line.ended, 'client-gone');
  await assertWhole(world.gate.data);
  rmSync(join(world.upstream, 'hold'));
  await until(
    async () => (await git(world.agent, ['push', 'origin', 'HEAD:refs/heads/next'])).code === 0,
    'the next push works',
  );
  assert.deepEqual(await refsOf(join(world.gate.data, 'mirrors', 'demo.git')), await refsOf(world.upstream));
});

test('when the gate is killed half-way the push fails, and after a new start the mirror is whole', async (t) => {
  const world = await makeWorld(t, { prepare: slowUpstream });
  const { push } = await pushUntilUpstream(world);
  world.gate.signal('SIGKILL');
  await world.gate.ended;
  assert.notEqual((await push).exitCode, 0);
  const mirror = join(world.gate.data, 'mirrors', 'demo.git');
  rmSync(join(world.upstream, 'hold'));
  writeFileSync(join(mirror, 'packed-refs.lock'), '');
  writeFileSync(join(mirror, 'refs', 'heads', 'main.lock'), '');
  const again = await startGate(t, { folder: world.folder, yaml: yamlFor(world.upstream) });
  await must(world.agent, 'remote', 'set-url', 'origin', `${again.http}/demo.git`);
  await until(
    async () => (await git(world.agent, ['push', 'origin', 'HEAD:refs/heads/next'])).code === 0,
    'the next push works',
  );
  await assertWhole(world.gate.data);
});

test('a push that takes longer than it may is ended, and says so in the log', async (t) => {
  const world = await makeWorld(t, { prepare: slowUpstream, top: 'limits: { push_timeout: 2s }' });
  const { push } = await pushUntilUpstream(world);
  assert.notEqual((await push).exitCode, 0);
  const line = await world.gate.logged('push-refused');
  assert.match(String(line.ended), /timeout|done/);
  await assertWhole(world.gate.data);
});

test('SIGTERM lets a push that runs come to its end, and exits with 0', async (t) => {
  const world = await makeWorld(t, { prepare: slowUpstream });
  const { push } = await pushUntilUpstream(world);
  world.gate.signal('SIGTERM');
  await world.gate.logged('stopping');
  rmSync(join(world.upstream, 'hold'));
  assert.equal((await push).exitCode, 0);
  assert.equal(await world.gate.ended, 0);
});

test('SIGTERM ends a push that would take too long, and exits with 0', async (t) => {
  const world = await makeWorld(t, { prepare: slowUpstream });
  const { push } = await pushUntilUpstream(world);
  world.gate.signal('SIGTERM');
  assert.notEqual((await push).exitCode, 0);
  assert.equal(await world.gate.ended, 0);
});
