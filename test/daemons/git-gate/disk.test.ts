import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { commit, type Gate, git, makeUpstream, makeWorld, must, refsOf, scratch, startGate, yamlFor } from './world.ts';

const NONE = '0'.repeat(40);

/** What no compression makes smaller. */
const noise = (bytes: number): Buffer => randomBytes(bytes);

test('a push with which the mirror would outgrow its limit is refused, and leaves nothing behind', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t, { top: 'limits:\n  max_mirror: 1 MiB' });
  const before = await refsOf(upstream);
  await commit(agent, { 'large.bin': noise(2_000_000) });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/large']);
  assert.equal(pushed.code, 1);
  assert.match(pushed.said, /its mirror has 1\.9 MiB on disk, of at most 1 MiB .*limits\.max_mirror/);
  assert.deepEqual((await gate.logged('push-refused')).rules, ['disk']);
  assert.deepEqual(await refsOf(upstream), before);
  assert.deepEqual(quarantinesIn(gate.data), []);
});

test('once a mirror is over its limit a push is refused before it is sent, and fetches go on', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t, {
    top: 'limits:\n  max_mirror: 1 MiB',
    prepare: async (upstream) => {
      const other = join(upstream, '..', 'other');
      await must(join(upstream, '..'), 'clone', '--quiet', upstream, other);
      await commit(other, { 'large.bin': noise(2_000_000) });
      await must(other, 'push', '--quiet', 'origin', 'HEAD:refs/heads/main');
    },
  });
  await commit(agent, { 'small.txt': 'small' });
  for (const url of [gate.http, gate.git]) {
    const pushed = await git(agent, ['push', `${url}/demo.git`, 'HEAD:refs/heads/small']);
    assert.equal(pushed.code, 128);
    assert.match(pushed.said, /remote error: git-gate: demo: its mirror has .* limits\.max_mirror/);
  }
  assert.equal((await refsOf(upstream))['refs/heads/small'], undefined);
  await must(agent, 'fetch', '--quiet', 'origin');
});

test('all mirrors together have a limit too', async (t) => {
  const { agent } = await makeWorld(t, { top: 'limits:\n  max_mirrors: 1 MiB' });
  await commit(agent, { 'small.txt': 'small' });
  await must(agent, 'push', '--quiet', 'origin', 'HEAD:refs/heads/small');
  await commit(agent, { 'large.bin': noise(2_000_000) });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/large']);
  assert.match(pushed.said, /all mirrors together have .* limits\.max_mirrors/);
});

test('no push takes the last of a disk', async (t) => {
  const { agent } = await makeWorld(t, { top: 'limits:\n  keep_free: 8000000 GiB' });
  await commit(agent, { 'small.txt': 'small' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/small']);
  assert.equal(pushed.code, 128);
  assert.match(pushed.said, /the disk of the gate has .* left, and 8000000 GiB are kept free .*limits\.keep_free/);
});

test('a push that makes more refs than a repository may have is refused, and one that moves a ref is not', async (t) => {
  const { agent, upstream } = await makeWorld(t, { top: 'limits:\n  max_refs: 3' });
  await must(agent, 'push', '--quiet', 'origin', 'HEAD:refs/heads/one', 'HEAD:refs/tags/two');
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/three']);
  assert.match(pushed.said, /more than 3 refs .*limits\.max_refs\) \[max-refs\]/);
  await commit(agent, { 'a.txt': 'a' });
  await must(agent, 'push', '--quiet', 'origin', 'HEAD:refs/heads/one');
  assert.equal(Object.keys(await refsOf(upstream)).length, 3);
});

test('a push that is cut off leaves nothing behind, though a fetch is always under way', async (t) => {
  const { agent, gate } = await makeWorld(t);
  const main = (await must(agent, 'rev-parse', 'HEAD')).trim();
  const id = await commit(agent, { 'large.bin': noise(5_000_000) });
  const packed = await execa('git', ['pack-objects', '--revs', '--stdout', '-q'], {
    cwd: agent,
    input: `${id}\n^${main}\n`,
    encoding: 'buffer',
  });
  const held = connect(Number(new URL(gate.git.replace('git:', 'http:')).port), '127.0.0.1');
  t.after(() => held.destroy());
  held.write(pktLine('git-upload-pack /demo.git\0host=x\0'));
  await new Promise((resolve) => held.once('data', resolve));

  const body = Buffer.concat([
    Buffer.from(`${pktLine(`${NONE} ${id} refs/heads/work\0report-status`)}0000`),
    packed.stdout,
  ]);
  const cut = beginPush(t, gate, body.length);
  cut.write(body.subarray(0, 3_000_000));
  await until(() => quarantinesIn(gate.data).length === 1, 'the push arrives');
  cut.destroy();
  await gate.logged('push-ended');
  await until(() => quarantinesIn(gate.data).length === 0, 'what it left behind is gone');
  assert.equal(held.destroyed, false);
});

test('what earlier runs left behind goes at the start, also of a repository that is no longer named', async (t) => {
  const folder = scratch(t);
  const upstream = await makeUpstream(folder);
  for (const name of ['demo.git', 'gone.git']) {
    const left = join(folder, 'data', 'mirrors', name, 'objects', 'tmp_objdir-incoming-AbCdEf', 'pack');
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, 'tmp_pack_x'), 'half of it');
  }
  const { data } = await startGate(t, { folder, yaml: yamlFor(upstream) });
  assert.deepEqual([...quarantinesIn(data), ...quarantinesIn(data, 'gone.git')], []);
});

test('a push that names refs without end is cut off before git has them all in memory', async (t) => {
  const { agent, gate } = await makeWorld(t);
  const main = (await must(agent, 'rev-parse', 'HEAD')).trim();
  const push = beginPush(t, gate, 1_000_000_000);
  const lines = Array.from({ length: 1000 }, (_, i) => pktLine(`${NONE} ${main} refs/heads/${'b'.repeat(100)}${i}`));
  for (let sent = 0; sent < 20 && !push.destroyed; sent += 1) push.write(lines.join(''));
  const { repo, reason } = await gate.logged('push-cut-off');
  assert.deepEqual([repo, reason], ['demo', 'its list of refs has more than 1048576 bytes']);
  await gate.logged('push-ended');
});

function quarantinesIn(data: string, mirror = 'demo.git'): readonly string[] {
  return readdirSync(join(data, 'mirrors', mirror, 'objects')).filter((entry) => entry.startsWith('tmp_'));
}

function pktLine(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text;
}

/** A request to git-receive-pack, of which the head is sent. */
function beginPush(t: TestContext, gate: Gate, length: number) {
  const socket = connect(Number(new URL(gate.http).port), '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write('POST /demo.git/git-receive-pack HTTP/1.1\r\nHost: gate\r\n');
  socket.write(`Content-Type: application/x-git-receive-pack-request\r\nContent-Length: ${length}\r\n\r\n`);
  return socket;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
