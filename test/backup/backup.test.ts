import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { execa } from 'execa';
import { formatLine, GENESIS } from '../../daemons/supervise/journal/line.ts';
import { notRoot } from '../posix/pid-namespace.ts';
import { makeWorld, pictureOf, type World } from './world.ts';

async function backedUp(world: World, ...args: string[]): Promise<readonly string[]> {
  const { exitCode, stderr } = await world.backup('-o', world.archive, ...args);
  assert.equal(exitCode, 0, stderr);
  const { stdout } = await execa('tar', ['--zstd', '-tf', world.archive]);
  return stdout.split('\n').map((name) => name.replace(/\/$/, ''));
}

/** Backs up, takes the data away, and restores it. */
async function thereAndBack(world: World): Promise<void> {
  const saved = await world.backup('-o', world.archive);
  assert.equal(saved.exitCode, 0, saved.stderr);
  await execa('rm', ['-rf', join(world.data, 'kept')]);
  const restored = await world.restore(world.archive);
  assert.equal(restored.exitCode, 0, restored.stderr);
}

test('what is must-back-up and the configuration are in the archive; what is disposable, reproducible or a secret is not', async (t) => {
  const world = makeWorld(t);
  world.write('kept/a', 'a');
  world.write('kept/cache/b', 'b');
  world.write('mirror/c', 'c');
  writeFileSync(join(world.config, 'keeper.yaml'), 'x: 1\n');
  assert.deepEqual(await backedUp(world), ['manifest.json', 'keeper/kept', 'keeper/kept/a', 'config/keeper.yaml']);
  assert.equal(statSync(world.archive).mode & 0o777, 0o600);
  assert.ok((await backedUp(world, '--with-reproducible')).includes('keeper/mirror/c'));
});

test('mode, time, links and empty directories come back as they were', async (t) => {
  const world = makeWorld(t);
  world.write('kept/deep/er/file', Buffer.from([0, 255, 10, 0]), 0o604);
  world.write('kept/ünusual name\n', 'x', 0o400);
  mkdirSync(join(world.data, 'kept', 'empty'), { mode: 0o711 });
  symlinkSync('deep/er/file', join(world.data, 'kept', 'link'));
  chmodSync(join(world.data, 'kept', 'deep'), 0o500);
  const before = pictureOf(world.data);
  const { mtimeMs } = statSync(join(world.data, 'kept/deep/er/file'));
  await thereAndBack(world);
  assert.deepEqual(pictureOf(world.data), before);
  assert.equal(statSync(join(world.data, 'kept/deep/er/file')).mtimeMs, Math.floor(mtimeMs));
});

test('owners come back by number', { skip: notRoot }, async (t) => {
  const world = makeWorld(t);
  world.write('kept/theirs', 'x', 0o600);
  chownSync(join(world.data, 'kept'), 64_401, 64_402);
  chownSync(join(world.data, 'kept/theirs'), 64_403, 64_404);
  const before = pictureOf(world.data);
  await thereAndBack(world);
  assert.deepEqual(pictureOf(world.data), before);
});

test('sockets are nothing to keep; pipes and links that lead out are left out and told of', async (t) => {
  const world = makeWorld(t);
  world.write('kept/a', 'a');
  symlinkSync('/etc/passwd', join(world.data, 'kept', 'out'));
  symlinkSync('../../secret/token', join(world.data, 'kept', 'up'));
  await execa('mkfifo', [join(world.data, 'kept', 'pipe')]);
  const server = createServer().listen(join(world.data, 'kept', 'sock'));
  t.after(() => server.close());
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /kept\/out is a link that leads out, to \/etc\/passwd: left out/);
  assert.match(stderr, /kept\/up is a link that leads out/);
  assert.match(stderr, /kept\/pipe is a pipe or a device: left out/);
  assert.doesNotMatch(stderr, /sock/);
});

test('a database that is written to all the time is whole in the archive, and nothing of it changes hands', async (t) => {
  const world = makeWorld(t);
  world.write('kept/a', 'a');
  const file = join(world.data, 'kept', 'some.db');
  const database = new DatabaseSync(file);
  t.after(() => database.close());
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a, b); BEGIN; INSERT INTO t VALUES (1, 1); COMMIT');
  const insert = database.prepare('INSERT INTO t VALUES (?, ?)');
  let count = 1;
  const writer = setInterval(() => {
    count += 1;
    insert.run(count, count);
  }, 1);
  const before = count;
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  clearInterval(writer);
  assert.equal(exitCode, 0, stderr);
  const copy = join(world.directory, 'copy.db');
  const { stdout } = await execa('tar', ['--zstd', '-xOf', world.archive, 'keeper/kept/some.db'], {
    encoding: 'buffer',
  });
  writeFileSync(copy, stdout);
  const read = new DatabaseSync(copy);
  t.after(() => read.close());
  assert.equal(Object.values(read.prepare('PRAGMA integrity_check').get() ?? {})[0], 'ok');
  const rows = Number(Object.values(read.prepare('SELECT count(*) FROM t').get() ?? {})[0]);
  assert.ok(rows >= before && rows <= count, `${rows} rows of ${before} to ${count}`);
  const { stdout: names } = await execa('tar', ['--zstd', '-tf', world.archive]);
  assert.doesNotMatch(names, /some\.db-/);
});

test('what SQLite makes beside a database that root backs up belongs to who owns the database', {
  skip: notRoot,
}, async (t) => {
  const world = makeWorld(t);
  const file = join(world.data, 'kept', 'some.db');
  mkdirSync(join(world.data, 'kept'));
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a)');
  database.close();
  for (const each of ['kept', 'kept/some.db']) chownSync(join(world.data, each), 64_401, 64_401);
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 0, stderr);
  for (const name of readdirSync(join(world.data, 'kept'))) {
    assert.equal(statSync(join(world.data, 'kept', name)).uid, 64_401, name);
  }
});

test('a repository that is pushed to meanwhile is whole in the archive', async (t) => {
  const world = makeWorld(t);
  const repository = join(world.data, 'kept', 'r.git');
  mkdirSync(join(world.data, 'kept'));
  const git = (...args: string[]) =>
    execa('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
      env: { GIT_CONFIG_GLOBAL: '/dev/null' },
    });
  await execa('git', ['init', '-q', '--bare', repository]);
  const tree = (await git('hash-object', '-w', '-t', 'tree', '/dev/null')).stdout;
  const commit = async (): Promise<void> => {
    const { stdout } = await git('commit-tree', tree, '-m', String(Math.random()));
    await git('update-ref', `refs/heads/b${Math.random()}`, stdout);
  };
  await commit();
  let isOver = false;
  const pushing = (async () => {
    while (!isOver) await commit();
  })();
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  isOver = true;
  await pushing;
  assert.equal(exitCode, 0, stderr);
  await execa('tar', ['--zstd', '-xf', world.archive, '-C', world.directory, 'keeper/kept/r.git']);
  const copy = join(world.directory, 'keeper/kept/r.git');
  await execa('git', ['-C', copy, 'fsck', '--full']);
  assert.notEqual((await execa('git', ['-C', copy, 'for-each-ref'])).stdout, '');
});

test('a repository with something missing fails the backup by name', async (t) => {
  const world = makeWorld(t);
  mkdirSync(join(world.data, 'kept'));
  const repository = join(world.data, 'kept', 'r.git');
  await execa('git', ['init', '-q', '--bare', repository]);
  mkdirSync(join(repository, 'refs/heads'), { recursive: true });
  writeFileSync(join(repository, 'refs/heads/main'), `${'1'.repeat(40)}\n`);
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /cannot copy the repository .*r\.git whole: /);
});

/** A log of this many records. */
function logOf(count: number): string {
  let [text, head] = ['', GENESIS];
  for (let at = 0; at < count; at++) {
    const next = formatLine(head, new Date(0).toISOString(), { at });
    [text, head] = [text + next.line, next.head];
  }
  return text;
}

test('of a log that is being written, the archive holds every whole record', async (t) => {
  const world = makeWorld(t);
  const log = logOf(30);
  world.write('kept/journal-000000000001.jsonl', `${log}{"seq":31,"ti`, 0o600);
  await thereAndBack(world);
  assert.equal(readFileSync(join(world.data, 'kept/journal-000000000001.jsonl'), 'utf8'), log);
});

test('a log that was changed fails the backup, with the record that cannot be believed', async (t) => {
  const world = makeWorld(t);
  world.write('kept/journal-000000000001.jsonl', logOf(3).replace('{"at":1}', '{"at":7}'));
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /the log in .*kept cannot be believed: record 2 \(line 2\) was changed/);
  assert.ok(!readdirSync(world.directory).includes('archive.tar.zst'));
});

test('a file that changes each time after it was copied fails the backup by name', async (t) => {
  const world = makeWorld(t);
  world.write('kept/a-restless', 'x');
  await execa('git', ['init', '-q', '--bare', join(world.data, 'kept', 'r.git')]);
  // Called while a repository is copied, which comes after the file; another repository has to be copied next time.
  world.replace(
    'git',
    `cd ${world.data}/kept && echo x >> a-restless && mv r.git ../../old-$$ && cp -r ../../old-$$ r.git`,
  );
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /kept\/a-restless changes all the time; stop what writes to it, and try again/);
});

test('a file that changes after it was copied is in the archive as it is at the end', async (t) => {
  const world = makeWorld(t);
  world.write('kept/a', 'old');
  await execa('git', ['init', '-q', '--bare', join(world.data, 'kept', 'r.git')]);
  world.replace('git', `cd ${world.data}/kept && echo new > a && echo late > 0-late`);
  assert.ok((await backedUp(world)).includes('keeper/kept/0-late'));
  const { stdout } = await execa('tar', ['--zstd', '-xOf', world.archive, 'keeper/kept/a']);
  assert.equal(stdout, 'new');
});

test('where nothing is to be found, the backup fails instead of being empty', async (t) => {
  const world = makeWorld(t);
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /there is nothing to back up at .*kept.*; is BOTTLED_DATA that of the bundle\?/);
});

test('daemons that are not selected are backed up as well', async (t) => {
  const world = makeWorld(
    t,
    'daemons:\n  one: { command: [a] }\n  two: { command: [a], profiles: [rare], data: ["$DATA/kept"] }\n',
  );
  world.write('kept/a', 'a');
  assert.ok((await backedUp(world)).includes('two/kept/a'));
});

test('secrets go into an encrypted archive only, and variables into none', async (t) => {
  const world = makeWorld(t);
  world.write('kept/a', 'a');
  const refused = await world.backup('--with-secrets', '-o', world.archive);
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /--with-secrets needs --encrypt RECIPIENT/);
  const { stderr } = await world.backup('-o', world.archive);
  assert.match(stderr, /note: the secret bare is a variable, and in no archive/);
  assert.ok(!readFileSync(world.archive).includes('hidden-from-all'));
});

test('a file is written into a directory under the name of the bundle and the time', async (t) => {
  const world = makeWorld(t);
  world.write('kept/a', 'a');
  const { stdout } = await world.backup('-o', world.directory, '--json');
  const { file, places } = JSON.parse(stdout);
  assert.match(file, /\/small-\d{8}T\d{6}Z\.tar\.zst$/);
  assert.deepEqual(places, ['keeper/kept']);
});

test('of a large file nothing is said but that it is in the archive', async (t) => {
  const world = makeWorld(t, 'daemons:\n  keeper: { command: [a], data: ["$DATA/kept"] }\n');
  world.write('kept/large', randomBytes(16 * 1024 * 1024));
  const { exitCode, stdout, stderr } = await world.backup('-o', world.archive);
  assert.deepEqual([exitCode, stderr], [0, '']);
  assert.match(stdout, /1 files of 1 places, 16 MiB; read back and sound/);
});

test('an archive takes the place of no device, and makes no directory', async (t) => {
  const world = makeWorld(t);
  world.write('kept/a', 'a');
  const link = join(world.directory, 'nowhere');
  symlinkSync('/dev/null', link);
  const { exitCode, stderr } = await world.backup('-o', link);
  assert.equal(exitCode, 1);
  assert.match(stderr, /nowhere is no file; name one, or write to stdout with -o -/);
  assert.equal(readlinkSync(link), '/dev/null');
  const missing = await world.backup('-o', `${world.directory}/missing/`);
  assert.equal(missing.exitCode, 1);
  assert.match(missing.stderr, /there is no directory .*missing\/; make it first/);
});

test('a path may hold any letters', async (t) => {
  const paths = '["$DATA/my data", "$DATA/my+data"]';
  const world = makeWorld(t, `daemons:\n  keeper: { command: [a], data: ${paths}, config: ["$CONFIG/ü.yaml"] }\n`);
  world.write('my data/a', 'a');
  world.write('my+data/b', 'b');
  writeFileSync(join(world.config, 'ü.yaml'), 'x: 1\n');
  const before = [pictureOf(world.data), pictureOf(world.config)];
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 0, stderr);
  for (const each of [world.data, world.config])
    for (const name of readdirSync(each)) rmSync(join(each, name), { recursive: true });
  const restored = await world.restore(world.archive);
  assert.equal(restored.exitCode, 0, restored.stderr);
  assert.deepEqual([pictureOf(world.data), pictureOf(world.config)], before);
});

test('what is no part of a place stays out of it, also where a link leads there', async (t) => {
  const world = makeWorld(
    t,
    'secrets: { token: { file: "$DATA/kept/token" } }\ndaemons:\n  keeper: { command: [a], data: ["$DATA/kept"] }\n',
  );
  const elsewhere = join(world.directory, 'elsewhere');
  renameSync(world.data, elsewhere);
  symlinkSync(elsewhere, world.data);
  world.write('kept/a', 'a');
  world.write('kept/token', 'hidden-from-all');
  const names = await backedUp(world);
  assert.ok(names.includes('keeper/kept/a'));
  assert.ok(!names.includes('keeper/kept/token'), names.join());
});

test('a place that is nothing to keep is told of, and the archive is sound', async (t) => {
  const world = makeWorld(t, 'daemons:\n  keeper: { command: [a], data: ["$DATA/kept", "$DATA/pipe"] }\n');
  world.write('kept/a', 'a');
  await execa('mkfifo', [join(world.data, 'pipe')]);
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /note: .*pipe is a pipe or a device: left out/);
  assert.equal((await world.restore('--list', world.archive)).exitCode, 0);
});

test('without root, what others keep to themselves fails the backup by name', { skip: notRoot }, async (t) => {
  const world = makeWorld(t);
  world.write('kept/theirs', 'x', 0o600);
  const { exitCode, stderr } = await world.as(NOBODY).backup('-o', world.archive);
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /cannot read .*kept\/theirs: permission denied; run it as root, or as the user to whom it belongs/,
  );
});

test('stdout that is full is told as that, and not as a full directory for copies', (t) => {
  const world = makeWorld(t);
  world.write('kept/a', 'x');
  const { exitCode, stderr } = world.backupTo('/dev/full');
  assert.equal(exitCode, 1);
  assert.match(stderr, /there is no room left in the place that stdout goes to; what is there is no whole archive$/m);
});

test('without root a bundle of one user is backed up and restored, and a note says whose it is now', {
  skip: notRoot,
}, async (t) => {
  const world = makeWorld(t);
  world.write('kept/mine', 'x', 0o600);
  await execa('chown', ['-R', `${NOBODY}:${NOBODY}`, world.data]);
  const saved = await world.as(NOBODY).backup('-o', world.archive);
  assert.equal(saved.exitCode, 0, saved.stderr);
  const before = pictureOf(world.data);
  await execa('rm', ['-rf', join(world.data, 'kept')]);
  const restored = await world.as(NOBODY).restore(world.archive);
  assert.equal(restored.exitCode, 0, restored.stderr);
  assert.doesNotMatch(restored.stderr, /note/);
  assert.deepEqual(pictureOf(world.data), before);
  await execa('rm', ['-rf', join(world.data, 'kept')]);
  chownSync(world.archive, NOBODY + 1, NOBODY + 1);
  await execa('chown', ['-R', `${NOBODY + 1}`, world.data, world.directory]);
  const moved = await world.as(NOBODY + 1).restore(world.archive);
  assert.equal(moved.exitCode, 0, moved.stderr);
  assert.match(moved.stderr, /note: only root can give files to their owners/);
});

const NOBODY = 64_410;
