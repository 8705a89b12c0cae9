import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { lockDirectory } from '../../daemons/supervise/journal/lock.ts';
import { MAIN } from '../cli/bottled.ts';
import { notRoot } from '../posix/pid-namespace.ts';
import { makeWorld, pictureOf, type World } from './world.ts';

/** A world with data, an archive of it, and a picture of what it was. */
async function saved(t: TestContext): Promise<World & { readonly before: Readonly<Record<string, string>> }> {
  const world = makeWorld(t);
  world.write('kept/a', 'a');
  world.write('kept/deep/b', 'b');
  writeFileSync(join(world.config, 'keeper.yaml'), 'x: 1\n');
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 0, stderr);
  return { ...world, before: pictureOf(world.data) };
}

function wipe({ data, config }: World): void {
  for (const name of readdirSync(data)) rmSync(join(data, name), { recursive: true });
  rmSync(join(config, 'keeper.yaml'), { force: true });
}

test('an archive goes into an empty bundle, and again without doing anything', async (t) => {
  const world = await saved(t);
  wipe(world);
  const first = await world.restore(world.archive);
  assert.equal(first.exitCode, 0, first.stderr);
  assert.deepEqual(pictureOf(world.data), world.before);
  assert.equal(readFileSync(join(world.config, 'keeper.yaml'), 'utf8'), 'x: 1\n');
  const again = await world.restore(world.archive);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.equal(again.stdout.match(/there already, the same/g)?.length, 2);
});

test('something else in the way is not touched, and nothing is written', async (t) => {
  const world = await saved(t);
  wipe(world);
  world.write('kept/mine', 'mine');
  const before = pictureOf(world.directory);
  const { exitCode, stderr } = await world.restore(world.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /there is something else in .*kept; nothing was changed/);
  assert.deepEqual(pictureOf(world.directory), before);
});

test('with --force what stands in the way is moved aside, whole', async (t) => {
  const world = await saved(t);
  wipe(world);
  world.write('kept/mine', 'mine');
  const { exitCode, stderr } = await world.restore('--force', world.archive);
  assert.equal(exitCode, 0, stderr);
  const aside = readdirSync(world.data).find((name) => name.includes('.before-restore-')) ?? '';
  assert.match(stderr, new RegExp(`what was in .*/kept is now .*/${aside}`));
  assert.equal(readFileSync(join(world.data, aside, 'mine'), 'utf8'), 'mine');
  assert.equal(readFileSync(join(world.data, 'kept/a'), 'utf8'), 'a');
});

test('--dry-run and --list change nothing', async (t) => {
  const world = await saved(t);
  wipe(world);
  const before = pictureOf(world.directory);
  const dry = await world.restore('--dry-run', world.archive);
  assert.equal(dry.exitCode, 0, dry.stderr);
  assert.match(dry.stdout, /^keeper\/kept +\S+\/kept +2 +2 bytes +restored$/m);
  const list = await world.restore('--list', world.archive);
  assert.match(list.stdout, /^small, backed up .*; every checksum is right\n/);
  assert.deepEqual(pictureOf(world.directory), before);
});

test('--without-config leaves the configuration as it is', async (t) => {
  const world = await saved(t);
  wipe(world);
  writeFileSync(join(world.config, 'keeper.yaml'), 'x: 2\n');
  const { exitCode, stderr } = await world.restore('--without-config', world.archive);
  assert.equal(exitCode, 0, stderr);
  assert.equal(readFileSync(join(world.config, 'keeper.yaml'), 'utf8'), 'x: 2\n');
});

test('while the bundle runs, nothing is restored', async (t) => {
  const world = await saved(t);
  wipe(world);
  const server = createServer().listen(join(world.directory, 'control.sock'));
  t.after(() => server.close());
  const { exitCode, stderr } = await world.restore(world.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /the bundle runs/);
  assert.deepEqual(readdirSync(world.data), []);
});

test('while a daemon of another container has its log open, nothing is restored, also with --force', async (t) => {
  const world = await saved(t);
  wipe(world);
  world.write('kept/journal-000000000001.jsonl', '');
  const unlock = lockDirectory(join(world.data, 'kept'));
  t.after(() => unlock?.());
  const { exitCode, stderr } = await world.restore('--force', world.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /a daemon uses .*kept; stop the bundle first/);
});

test('a restore that was killed between two places goes on where it was', async (t) => {
  const world = await saved(t);
  wipe(world);
  await world.restore(world.archive);
  rmSync(join(world.config, 'keeper.yaml'));
  const { exitCode, stdout, stderr } = await world.restore(world.archive);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /keeper\/kept .* there already, the same/);
  assert.match(stdout, /config\/keeper\.yaml .* restored/);
});

test('what another user than root has restored gets its owners and modes from root', { skip: notRoot }, async (t) => {
  const world = await saved(t);
  for (const name of ['kept', 'kept/a', 'kept/deep/b']) chownSync(join(world.data, name), 10_002, 10_003);
  chmodSync(join(world.data, 'kept/a'), 0o600);
  symlinkSync('a', join(world.data, 'kept/link'));
  const before = pictureOf(join(world.data, 'kept'));
  await world.backup('-o', world.archive);
  wipe(world);
  chmodSync(world.archive, 0o644);
  chmodSync(world.config, 0o777);
  const first = await world.as(65_534).restore(world.archive);
  assert.match(first.stderr, /only root can give files to their owners/);
  chmodSync(join(world.data, 'kept/deep'), 0o700);
  const second = await world.restore(world.archive);
  assert.equal(second.exitCode, 0, second.stderr);
  assert.match(second.stdout, /^keeper\/kept .* there already; owner and mode restored$/m);
  assert.deepEqual(pictureOf(join(world.data, 'kept')), before);
  assert.match((await world.restore(world.archive)).stdout, /^keeper\/kept .* there already, the same$/m);
});

test('places within places are restored, and found to be the same afterwards', async (t) => {
  const world = makeWorld(
    t,
    'daemons:\n  keeper: { command: [a], data: ["$DATA/kept/deep/inner", "$DATA/kept"], config: ["$DATA/kept/keeper.yaml"] }\n',
  );
  world.write('kept/a', 'a');
  world.write('kept/keeper.yaml', 'x: 1\n');
  world.write('kept/deep/inner/b', 'b');
  const before = pictureOf(world.data);
  const made = await world.backup('-o', world.archive);
  assert.equal(made.exitCode, 0, made.stderr);
  rmSync(join(world.data, 'kept'), { recursive: true });
  const first = await world.restore(world.archive);
  assert.equal(first.exitCode, 0, first.stderr);
  assert.deepEqual(pictureOf(world.data), before);
  const again = await world.restore(world.archive);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.equal(again.stdout.match(/there already, the same/g)?.length, 3, again.stdout);
  world.write('kept/deep/inner/b', 'another');
  const forced = await world.restore('--force', world.archive);
  assert.equal(forced.exitCode, 0, forced.stderr);
  assert.equal(readFileSync(join(world.data, 'kept/deep/inner/b'), 'utf8'), 'b');
  assert.equal(readFileSync(join(world.data, 'kept/a'), 'utf8'), 'a');
  world.write('kept/a', 'another');
  const whole = await world.restore('--force', world.archive);
  assert.equal(whole.exitCode, 0, whole.stderr);
  assert.deepEqual(
    [readFileSync(join(world.data, 'kept/a'), 'utf8'), readFileSync(join(world.data, 'kept/deep/inner/b'), 'utf8')],
    ['a', 'b'],
  );
});

test('an archive goes to a bundle that keeps its data elsewhere', async (t) => {
  const [here, there] = [await saved(t), makeWorld(t)];
  const { exitCode, stderr } = await there.restore(here.archive);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(pictureOf(there.data), here.before);
});

test('a target that is a mount point is refused before anything is written', { skip: notRoot }, async (t) => {
  const world = await saved(t);
  wipe(world);
  const kept = join(world.data, 'kept');
  mkdirSync(kept);
  await execa('mount', ['-t', 'tmpfs', 'none', kept]);
  const { exitCode, stderr } = await world.restore(world.archive).finally(() => execa('umount', [kept]));
  assert.equal(exitCode, 1);
  assert.match(stderr, /kept is a mount point, which cannot be replaced; mount what is above it/);
  assert.ok(!existsSync(join(world.config, 'keeper.yaml')));
});

test('directories that a restore makes are open to daemons, whatever the umask', async (t) => {
  const world = makeWorld(t, 'daemons:\n  keeper: { command: [a], data: ["$DATA/far/away/kept"] }\n');
  world.write('far/away/kept/a', 'a');
  await world.backup('-o', world.archive);
  rmSync(join(world.data, 'far'), { recursive: true });
  const mask = process.umask(0o077);
  try {
    const { exitCode, stderr } = await world.restore(world.archive);
    assert.equal(exitCode, 0, stderr);
  } finally {
    process.umask(mask);
  }
  for (const name of ['far', 'far/away']) assert.equal(statSync(join(world.data, name)).mode & 0o777, 0o755, name);
});

test('a disk that fills up says which, and leaves what was there', { skip: notRoot }, async (t) => {
  const world = makeWorld(t);
  for (let count = 0; count < 40; count++) world.write(`kept/${count}`, 'x');
  const made = await world.backup('-o', world.archive);
  assert.equal(made.exitCode, 0, made.stderr);
  wipe(world);
  // Each small file takes a page of it: by its bytes alone there is room.
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', world.data]);
  try {
    const { exitCode, stderr } = await world.restore(world.archive);
    assert.equal(exitCode, 1);
    assert.match(stderr, /there is no room left in .*\/data; nothing was changed\. Make room and run it again/);
    assert.deepEqual(readdirSync(world.data), []);
  } finally {
    await execa('umount', [world.data]);
  }
});

test('an archive of another bundle is refused with the place that is missing here', async (t) => {
  const [here, there] = [await saved(t), makeWorld(t, 'daemons: { a: { command: [a], data: [x] } }\n')];
  const { exitCode, stderr } = await there.restore(here.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /the archive holds keeper\/kept .*, and the bundle file has no such path/);
});

test('an archive comes from stdin as well, and goes to stdout', async (t) => {
  const world = await saved(t);
  const { stdout } = await execa(
    'sh',
    ['-c', `"$0" "$1" backup -f bundle.yaml -o - | tee copy | "$0" "$1" restore --list -`, process.execPath, MAIN],
    {
      cwd: world.directory,
      env: { DATA: world.data, CONFIG: world.config, TMPDIR: join(world.directory, 'tmp') },
    },
  );
  assert.match(stdout, /every checksum is right/);
  assert.deepEqual(readdirSync(join(world.directory, 'tmp')), []);
});

test('a reader of stdout that goes away fails the backup', async (t) => {
  const world = await saved(t);
  world.write(
    'kept/large',
    Buffer.alloc(8_000_000, Math.random().toString()).map(() => Math.random() * 256),
  );
  const { stdout } = await execa(
    'bash',
    [
      '-c',
      `"$0" "$1" backup -f bundle.yaml -o - | head -c 100 >/dev/null; echo "\${PIPESTATUS[0]}"`,
      process.execPath,
      MAIN,
    ],
    { cwd: world.directory, env: { DATA: world.data, CONFIG: world.config }, stderr: 'ignore' },
  );
  assert.equal(stdout, '1');
});

test('encryption is age(1): an archive for one key is opened by that key, with the secrets', {
  skip: await noAge(),
}, async (t) => {
  const world = await saved(t);
  const identity = join(world.directory, 'key.txt');
  await execa('age-keygen', ['-o', identity]);
  const { stdout: recipient } = await execa('age-keygen', ['-y', identity]);
  const archive = `${world.archive}.age`;
  const { exitCode, stderr } = await world.backup('--encrypt', recipient, '--with-secrets', '-o', archive);
  assert.equal(exitCode, 0, stderr);
  wipe(world);
  rmSync(join(world.directory, 'secret/token'));
  const closed = await world.restore(archive);
  assert.match(closed.stderr, /is encrypted; name the file of its key with --identity FILE/);
  const opened = await world.restore('--identity', identity, '--with-secrets', archive);
  assert.equal(opened.exitCode, 0, opened.stderr);
  assert.deepEqual(pictureOf(world.data), world.before);
  assert.equal(readFileSync(join(world.directory, 'secret/token'), 'utf8'), 'hidden-from-all');
});

test('without age an encrypted backup fails with the remedy, and leaves nothing', async (t) => {
  const world = await saved(t);
  rmSync(world.archive);
  world.replace('age', 'exit 127');
  const { exitCode, stderr } = await world.backup('--encrypt', 'age1x', '-o', world.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /cannot encrypt: age ended with 127/);
  assert.ok(!existsSync(world.archive));
  assert.deepEqual(
    readdirSync(world.directory).filter((name) => name.startsWith('.')),
    [],
  );
});

async function noAge(): Promise<string | false> {
  const { exitCode } = await execa('age-keygen', ['--version'], { reject: false });
  return exitCode === 0 ? false : 'age is not installed';
}
