import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commit, fakeToken, git, makeWorld, must, refsOf, yamlFor } from './world.ts';

test('a clean push reaches upstream, over HTTP and over git://', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t);
  const first = await commit(agent, { 'a.txt': 'a' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/one']);
  assert.equal(pushed.code, 0, pushed.said);
  assert.match(pushed.said, /remote: git-gate: 3 new objects \(\d+ bytes\) scanned; upstream has them/);
  const second = await commit(agent, { 'b.txt': 'b' });
  assert.equal((await git(agent, ['push', `${gate.git}/demo.git`, 'HEAD:refs/heads/two'])).code, 0);
  const refs = await refsOf(upstream);
  assert.equal(refs['refs/heads/one'], first);
  assert.equal(refs['refs/heads/two'], second);
  assert.deepEqual((await gate.logged('push')).refs, ['refs/heads/one']);
});

test('a refused push says the same over git://', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t);
  await commit(agent, { 'a.txt': fakeToken() });
  const pushed = await git(agent, ['push', `${gate.git}/demo`, 'HEAD:refs/heads/one']);
  assert.equal(pushed.code, 1);
  assert.match(pushed.said, /remote: {5}in a\.txt, line 1, commit/);
  assert.equal((await refsOf(upstream))['refs/heads/one'], undefined);
});

test('A.9 #7: a new branch on a long history with old findings is pushed without rescanning history', async (t) => {
  const old = Array.from({ length: 11 }, fakeToken);
  const { agent, gate } = await makeWorld(t, {
    prepare: async (upstream) => {
      const seed = join(upstream, '..', 'history');
      await must(join(upstream, '..'), 'clone', '--quiet', upstream, seed);
      for (const [index, token] of old.entries()) await commit(seed, { [`old/${index}.txt`]: token });
      await must(seed, 'rm', '--quiet', 'old/0.txt');
      await commit(seed, {}, 'Remove one');
      await must(seed, 'push', '--quiet', 'origin', 'main');
    },
  });
  await commit(agent, { 'new.txt': 'new' });
  assert.equal((await git(agent, ['push', 'origin', 'HEAD:refs/heads/new-branch'])).code, 0);
  assert.equal((await gate.logged('push')).objects, 3);

  const again = await commit(agent, { 'old/0.txt': old[0] ?? '' });
  const restored = await git(agent, ['push', 'origin', `${again}:refs/heads/restored`]);
  assert.equal(restored.code, 0, `what upstream's history holds is no news to it: ${restored.said}`);
});

test('a fingerprint that the operator allows passes, and no other', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t);
  const token = fakeToken();
  await commit(agent, { 'fixture.txt': token });
  const refused = await git(agent, ['push', 'origin', 'HEAD:refs/heads/fixture']);
  const shown = [...refused.said.matchAll(/fingerprint ([0-9a-f]{64})/g)].map(([, fingerprint]) => fingerprint);
  assert.ok(shown.length > 0);
  const allow = shown.map((fingerprint) => `  - { fingerprint: ${fingerprint}, reason: a fixture }\n`).join('');
  assert.match(refused.said, /the operator can let it pass by its fingerprint, under "allow" in git-gate\.yaml/);
  gate.write(yamlFor(upstream, '', `allow:\n${allow}`));
  gate.signal('SIGHUP');
  await gate.logged('reloaded');
  const allowed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/fixture']);
  assert.equal(allowed.code, 0, allowed.said);
  await commit(agent, { 'other.txt': `${token}\n${fakeToken()}\n` });
  const other = await git(agent, ['push', 'origin', 'HEAD:refs/heads/other']);
  assert.equal(other.code, 1);
  assert.match(other.said, /in other\.txt, line 2/);
});

test('deletes, forced pushes, tags and protected refs go by the rules', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t, {
    repo: 'protected: [refs/heads/main, "refs/heads/release/**"]',
  });
  await commit(agent, { 'a.txt': 'a' });
  await must(agent, 'tag', 'v1');
  await must(agent, 'push', '--quiet', 'origin', 'HEAD:refs/heads/work', 'v1');
  const before = await refsOf(upstream);
  const refused: readonly (readonly [why: RegExp, ...args: string[]])[] = [
    [/refs\/heads\/work: nothing may be deleted .*allow_delete/, '--delete', 'origin', 'work'],
    [/refs\/tags\/v1: nothing may be deleted/, '--delete', 'origin', 'v1'],
    [/refs\/heads\/work: it would lose commits/, '--force', 'origin', 'main~1:refs/heads/work'],
    [/refs\/tags\/v1: a tag that exists is not moved/, '--force', 'origin', 'main~1:refs/tags/v1'],
    [/refs\/heads\/main: it is protected/, 'origin', 'HEAD:refs/heads/main'],
    [/refs\/heads\/release\/1\/2: it is protected/, 'origin', 'HEAD:refs/heads/release/1/2'],
    [/refs\/notes\/x: only branches and tags/, 'origin', 'HEAD:refs/notes/x'],
    [/refs\/replace\/.*: only branches and tags/, 'origin', `HEAD:refs/replace/${before['refs/heads/main']}`],
    [/refs\/heads\/WORK: it differs from refs\/heads\/work only in case/, 'origin', 'HEAD:refs/heads/WORK'],
  ];
  for (const [why, ...args] of refused) {
    const pushed = await git(agent, ['push', ...args]);
    assert.equal(pushed.code, 1, args.join(' '));
    assert.match(pushed.said, why);
  }
  assert.deepEqual(await refsOf(upstream), before);

  gate.write(yamlFor(upstream, 'allow_delete: true\n    allow_force: true\n    tags: any'));
  gate.signal('SIGHUP');
  await gate.logged('reloaded');
  await commit(agent, { 'b.txt': 'b' });
  const forced = await git(agent, ['push', '--force', 'origin', 'main~1:refs/heads/work', 'HEAD:refs/tags/v1']);
  assert.equal(forced.code, 0, forced.said);
  const deleted = await git(agent, ['push', '--delete', 'origin', 'work', 'v1']);
  assert.equal(deleted.code, 0, deleted.said);
  assert.deepEqual(await refsOf(upstream), { 'refs/heads/main': before['refs/heads/main'] });
  const defaultBranch = await git(agent, ['push', '--delete', 'origin', 'main']);
  assert.equal(defaultBranch.code, 1);
  assert.deepEqual(await refsOf(upstream), { 'refs/heads/main': before['refs/heads/main'] });
});

test('a repository that is read-only takes no push', async (t) => {
  const { agent } = await makeWorld(t, { repo: 'read_only: true' });
  await commit(agent, { 'a.txt': 'a' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/work']);
  assert.equal(pushed.code, 1);
  assert.match(pushed.said, /this repository is read-only here/);
});

test('what upstream refuses is refused, in its own words, and the mirror stays as it was', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t, {
    prepare: async (path) => {
      const hook = join(path, 'hooks', 'pre-receive');
      writeFileSync(hook, '#!/bin/sh\nprintf "no pushes on \\033[31mFridays\\033[0m\\n" >&2\nexit 1\n');
      chmodSync(hook, 0o755);
    },
  });
  await commit(agent, { 'a.txt': 'a' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/work']);
  assert.equal(pushed.code, 1);
  assert.match(pushed.said, /remote: no pushes on \\x1b\[31mFridays\\x1b\[0m/);
  assert.match(pushed.said, /upstream does not take refs\/heads\/work: pre-receive hook declined/);
  assert.ok(!pushed.said.includes(upstream), 'the path of upstream is not for the agent');
  const mirror = join(gate.data, 'mirrors', 'demo.git');
  assert.equal((await refsOf(mirror))['refs/heads/work'], undefined);
  assert.deepEqual(leftovers(mirror), []);
});

test('a push of several refs is all or nothing', async (t) => {
  const { agent, upstream } = await makeWorld(t, {
    prepare: async (path) => {
      const hook = join(path, 'hooks', 'update');
      writeFileSync(hook, '#!/bin/sh\ntest "$1" != refs/heads/bad\n');
      chmodSync(hook, 0o755);
    },
  });
  await commit(agent, { 'a.txt': 'a' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/good', 'HEAD:refs/heads/bad']);
  assert.equal(pushed.code, 1);
  assert.deepEqual(Object.keys(await refsOf(upstream)), ['refs/heads/main']);
});

test('a push to a ref that moved upstream meanwhile is refused and loses nothing', async (t) => {
  const { agent, upstream, folder } = await makeWorld(t, {
    repo: 'allow_force: true',
    top: 'limits: { fetch_fresh: 1h }',
  });
  const other = join(folder, 'other');
  await must(folder, 'clone', '--quiet', upstream, other);
  const theirs = await commit(other, { 'theirs.txt': 'theirs' });
  await must(other, 'push', '--quiet', 'origin', 'main');
  await commit(agent, { 'ours.txt': 'ours' });
  const pushed = await git(agent, ['push', '--force', 'origin', 'HEAD:refs/heads/main']);
  assert.equal(pushed.code, 1);
  assert.match(pushed.said, /it has changed meanwhile; fetch/);
  assert.equal((await refsOf(upstream))['refs/heads/main'], theirs);
});

test('two pushes at once do not get into each other', async (t) => {
  const { agent, upstream, gate, folder } = await makeWorld(t);
  const second = join(folder, 'second');
  await must(folder, 'clone', '--quiet', `${gate.git}/demo.git`, second);
  const ours = await commit(agent, { 'a.txt': 'a' });
  const theirs = await commit(second, { 'b.txt': 'b' });
  const [one, two] = await Promise.all([
    git(agent, ['push', 'origin', 'HEAD:refs/heads/one', 'HEAD:refs/heads/both']),
    git(second, ['push', 'origin', 'HEAD:refs/heads/two', 'HEAD:refs/heads/both']),
  ]);
  assert.deepEqual([one.code, two.code].sort(), [0, 1], `${one.said}\n${two.said}`);
  const refs = await refsOf(upstream);
  assert.equal(refs['refs/heads/both'], one.code === 0 ? ours : theirs);
  assert.equal(refs[one.code === 0 ? 'refs/heads/two' : 'refs/heads/one'], undefined);
  assert.deepEqual(await refsOf(join(gate.data, 'mirrors', 'demo.git')), refs);
});

test('a file over the limit is refused unscanned, and a pack over the limit unread', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t, {
    top: 'limits: { max_blob: 100 KiB, max_push: 1 MiB, max_content: 300 KiB }',
  });
  await commit(agent, { 'big.txt': 'x'.repeat(100 * 1024 + 1) });
  const large = await git(agent, ['push', 'origin', 'HEAD:refs/heads/large']);
  assert.equal(large.code, 1);
  assert.match(
    large.said,
    /big\.txt: it has 100 KiB; what is larger than 100 KiB is not scanned, and so not pushed \[max-blob\]/,
  );
  await must(agent, 'reset', '--quiet', '--hard', 'origin/main');
  await commit(agent, Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, name.repeat(90 * 1024)])));
  const bomb = await git(agent, ['push', 'origin', 'HEAD:refs/heads/bomb']);
  assert.match(bomb.said, /its new objects hold 360\.\d KiB unpacked; at most 300 KiB/);
  await must(agent, 'reset', '--quiet', '--hard', 'origin/main');
  await commit(agent, {
    'noise.bin': Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)).buffer)
      .toString('hex')
      .repeat(1),
  });
  for (let index = 0; index < 24; index += 1)
    await commit(agent, { [`${index}.bin`]: Buffer.from(crypto.getRandomValues(new Uint8Array(65_536))) });
  const pack = await git(agent, ['push', 'origin', 'HEAD:refs/heads/pack']);
  assert.notEqual(pack.code, 0);
  assert.match(pack.said, /pack exceeds maximum allowed size/);
  assert.deepEqual(Object.keys(await refsOf(upstream)), ['refs/heads/main']);
  assert.deepEqual(leftovers(join(gate.data, 'mirrors', 'demo.git')), []);
});

test('Git LFS pointers are refused unless the operator allows them', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t);
  await commit(agent, {
    'model.bin': `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`,
  });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/lfs']);
  assert.equal(pushed.code, 1);
  assert.match(pushed.said, /model\.bin: it is a Git LFS pointer/);
  gate.write(yamlFor(upstream, 'allow_lfs: true'));
  gate.signal('SIGHUP');
  await gate.logged('reloaded');
  assert.equal((await git(agent, ['push', 'origin', 'HEAD:refs/heads/lfs'])).code, 0);
});

test('a submodule is a link and passes; a .gitmodules that attacks git does not', async (t) => {
  const { agent, upstream } = await makeWorld(t);
  await must(agent, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},sub`);
  writeFileSync(join(agent, '.gitmodules'), '[submodule "sub"]\n\tpath = sub\n\turl = https://example.com/sub.git\n');
  await must(agent, 'add', '.gitmodules');
  await must(agent, 'commit', '--quiet', '-m', 'Submodule');
  assert.equal((await git(agent, ['push', 'origin', 'HEAD:refs/heads/sub'])).code, 0);
  await commit(agent, { '.gitmodules': '[submodule "sub"]\n\tpath = sub\n\turl = --upload-pack=evil\n' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/evil']);
  assert.notEqual(pushed.code, 0);
  assert.match(pushed.said, /gitmodulesUrl/);
  assert.equal((await refsOf(upstream))['refs/heads/evil'], undefined);
});

test('1,500 small files are one push', async (t) => {
  const { agent, gate } = await makeWorld(t);
  await commit(
    agent,
    Object.fromEntries(
      Array.from({ length: 1500 }, (_, index) => [`src/${index % 30}/${index}.ts`, `export const n = ${index};\n`]),
    ),
  );
  assert.equal((await git(agent, ['push', 'origin', 'HEAD:refs/heads/many'])).code, 0);
  assert.equal((await gate.logged('push')).objects, 1533);
});

test('a push from a shallow clone and one from a partial clone pass the same gate', async (t) => {
  const { gate, folder, upstream } = await makeWorld(t);
  for (const [name, option] of [
    ['shallow', '--depth=1'],
    ['partial', '--filter=blob:none'],
  ] as const) {
    const clone = join(folder, name);
    await must(folder, 'clone', '--quiet', option, `${gate.http}/demo.git`, clone);
    const id = await commit(clone, { [`${name}.txt`]: name });
    const pushed = await git(clone, ['push', 'origin', `HEAD:refs/heads/${name}`]);
    assert.equal(pushed.code, 0, pushed.said);
    assert.equal((await refsOf(upstream))[`refs/heads/${name}`], id);
    await commit(clone, { 'secret.txt': fakeToken() });
    assert.equal((await git(clone, ['push', 'origin', 'HEAD:refs/heads/secret'])).code, 1);
  }
});

test('when a known-secrets file is missing nothing passes, since nothing can be scanned', async (t) => {
  const { agent, upstream } = await makeWorld(t, { env: { GIT_GATE_KNOWN_SECRETS: '/nonexistent/known.json' } });
  await commit(agent, { 'a.txt': 'a' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/work']);
  assert.equal(pushed.code, 1);
  assert.match(pushed.said, /the scan could not be finished/);
  assert.deepEqual(Object.keys(await refsOf(upstream)), ['refs/heads/main']);
});

/** What a push must not leave behind. */
function leftovers(mirror: string): readonly string[] {
  const objects = readdirSync(join(mirror, 'objects')).filter((name) => name.startsWith('tmp_'));
  const locks = readdirSync(mirror, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lock'));
  return [...objects, ...locks, ...(existsSync(join(mirror, 'shallow')) ? ['shallow'] : [])];
}
