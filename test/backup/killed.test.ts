import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { endOf, makeWorld, pictureOf, until, type World } from './world.ts';

/** A stand-in for age that marks what passes, and stops half-way where there is a file "hang". */
function standInForAge({ directory, replace }: World): void {
  replace(
    'age',
    `cd ${directory}
if [ "$1" = --encrypt ]; then echo age-encryption.org/v1; exec cat; fi
for file; do :; done
echo x >> opened
if [ -e hang ] && [ "$(wc -l < opened)" -ge 2 ]; then tail -c +23 "$file" | head -c "$(cat hang)"; touch half-way; exec sleep 60; fi
exec tail -c +23 "$file"`,
  );
}

async function archived(t: TestContext): Promise<World & { readonly sealed: string }> {
  const world = makeWorld(t);
  standInForAge(world);
  world.write('kept/a', Buffer.from(Array.from({ length: 100_000 }, () => Math.random() * 256)));
  world.write('kept/b', 'b');
  writeFileSync(join(world.config, 'keeper.yaml'), 'x: 1\n');
  const sealed = `${world.archive}.age`;
  const { exitCode, stderr } = await world.backup('--encrypt', 'age1x', '-o', sealed);
  assert.equal(exitCode, 0, stderr);
  return { ...world, sealed };
}

const hidden = (directory: string): readonly string[] =>
  readdirSync(directory).filter((name) => name.startsWith('.bottled-'));

/** A world whose next backup stops in the middle: git, which it asks to check a repository, does not answer. */
async function stuck(t: TestContext): Promise<World & { readonly old: Buffer }> {
  const world = makeWorld(t);
  world.write('kept/a', 'a');
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 0, stderr);
  await execa('git', ['init', '-q', '--bare', join(world.data, 'kept', 'r.git')]);
  world.replace('git', `touch ${world.directory}/half-way; exec sleep 60`);
  return { ...world, old: readFileSync(world.archive) };
}

const isHalfWay = ({ directory }: World) => readdirSync(directory).includes('half-way');

test('a backup that is killed leaves the archive of before, and the next one tidies up', async (t) => {
  const world = await stuck(t);
  const child = world.start('backup', '-o', world.archive);
  await until('the backup is half-way', () => isHalfWay(world));
  child.kill('SIGKILL');
  await endOf(child);
  assert.deepEqual(readFileSync(world.archive), world.old);
  assert.equal(hidden(world.directory).length, 1);
  rmSync(join(world.directory, 'programs/git'));
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(hidden(world.directory), []);
  assert.notDeepEqual(readFileSync(world.archive), world.old);
});

test('a backup that is interrupted cleans up, and ends with 128 and the signal', async (t) => {
  const world = await stuck(t);
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const child = world.start('backup', '-o', world.archive);
    await until('the backup is half-way', () => isHalfWay(world));
    child.kill(signal);
    assert.equal((await endOf(child)).code, code);
    assert.deepEqual(hidden(world.directory), []);
    assert.deepEqual(readFileSync(world.archive), world.old);
    rmSync(join(world.directory, 'half-way'));
  }
});

test('what a backup that is under way keeps beside the archive is left to it by another', async (t) => {
  const world = await stuck(t);
  const child = world.start('backup', '-o', world.archive);
  await until('the backup is half-way', () => isHalfWay(world));
  rmSync(join(world.data, 'kept', 'r.git'), { recursive: true });
  const { exitCode, stderr } = await world.backup('-o', world.archive);
  assert.equal(exitCode, 0, stderr);
  assert.equal(hidden(world.directory).length, 1);
  child.kill('SIGTERM');
  await endOf(child);
});

test('a restore that is killed while it unpacks has changed nothing, and works when it is run again', async (t) => {
  const world = await archived(t);
  const before = pictureOf(world.data);
  rmSync(join(world.data, 'kept'), { recursive: true });
  rmSync(join(world.config, 'keeper.yaml'));
  writeFileSync(join(world.directory, 'hang'), '50000');
  const child = world.start('restore', '--identity', 'key', world.sealed);
  await until('the restore is half-way', () => isHalfWay(world));
  child.kill('SIGKILL');
  await endOf(child);
  assert.deepEqual(
    readdirSync(world.data).filter((name) => !name.startsWith('.')),
    [],
  );
  assert.deepEqual(
    readdirSync(world.config).filter((name) => !name.startsWith('.')),
    [],
  );
  assert.equal(hidden(world.data).length, 1);
  rmSync(join(world.directory, 'hang'));
  const { exitCode, stderr } = await world.restore('--identity', 'key', world.sealed);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(pictureOf(world.data), before);
});

test('a restore over something else that is killed while it unpacks leaves that where it is', async (t) => {
  const world = await archived(t);
  world.write('kept/mine', 'mine');
  writeFileSync(join(world.directory, 'hang'), '50000');
  const before = pictureOf(join(world.data, 'kept'));
  const child = world.start('restore', '--force', '--identity', 'key', world.sealed);
  await until('the restore is half-way', () => isHalfWay(world));
  child.kill('SIGINT');
  assert.equal((await endOf(child)).code, 130);
  assert.deepEqual(pictureOf(join(world.data, 'kept')), before);
  assert.deepEqual(readdirSync(world.data), ['kept']);
});

test('an archive that changes between the check and the unpacking is not restored', async (t) => {
  const world = await archived(t);
  rmSync(join(world.data, 'kept'), { recursive: true });
  world.replace(
    'age',
    `cd ${world.directory}
for file; do :; done
echo x >> opened
if [ "$(wc -l < opened)" -ge 2 ]; then tail -c +23 "$file" | head -c 50000; exit 0; fi
exec tail -c +23 "$file"`,
  );
  const { exitCode, stderr } = await world.restore('--identity', 'key', world.sealed);
  assert.equal(exitCode, 1);
  assert.match(stderr, /is damaged|cut off|unexpected end/i);
  assert.deepEqual(readdirSync(world.data), []);
});
