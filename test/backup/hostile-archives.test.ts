import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { makeWorld, type World } from './world.ts';

type Thing = Readonly<Record<string, unknown>>;

const ROOT = { place: 'keeper/kept', path: '', type: 'directory', uid: 0, gid: 0, mode: '0700', mtime: 0 };

function fileEntry(path: string, text: string, more: Thing = {}): Thing {
  const { length: size } = text;
  return { ...ROOT, path, type: 'file', size, sha256: hash('sha256', text, 'hex'), ...more };
}

/** An archive as somebody else could make it: entries of its table of contents, and things in its tar. */
async function forged(
  world: World,
  entries: readonly Thing[],
  things: readonly Thing[],
  more: Thing = {},
): Promise<void> {
  const contents = {
    format: 1,
    bundle: 'small',
    bottled: '0',
    time: '2026-01-01T00:00:00.000Z',
    places: [{ id: 'keeper/kept', service: 'keeper', kind: 'data', path: '/x' }],
    entries,
    ...more,
  };
  const tar = pack();
  tar.entry({ name: 'manifest.json' }, JSON.stringify(contents));
  for (const { text = '', ...header } of things) tar.entry({ name: 'x', ...header }, String(text));
  tar.finalize();
  writeFileSync(world.archive, zstdCompressSync(await buffer(tar)));
}

const ROOT_THING = { name: 'keeper/kept', type: 'directory' };

async function refused(t: TestContext, forge: (world: World) => unknown, reason: RegExp): Promise<void> {
  const world = makeWorld(t);
  await forge(world);
  const { exitCode, stderr } = await world.restore(world.archive);
  assert.equal(exitCode, 1, stderr);
  assert.match(stderr, reason);
  assert.equal(stderr.trim().split('\n').length, 1, stderr);
  assert.deepEqual(readdirSync(world.data), []);
}

const one = (entry: Thing, thing: Thing) => (world: World) => forged(world, [ROOT, entry], [ROOT_THING, thing]);

for (const path of ['/etc/cron.d/x', '../x', 'a/../../x', './x', 'a//x', 'x/', 'a\0b']) {
  test(`the path ${JSON.stringify(path)} is refused`, (t) =>
    refused(t, one(fileEntry(path, 'x'), { name: `keeper/kept/${path}`, text: 'x' }), /is no plain path/));
}

test('a link that leads out is refused, and so is what lies behind any link', async (t) => {
  const link = { place: 'keeper/kept', path: 'l', type: 'symlink', target: '../..', uid: 0, gid: 0, mode: '0777' };
  await refused(
    t,
    one(link, { name: 'keeper/kept/l', type: 'symlink', linkname: '../..' }),
    /is a link that leads out/,
  );
  const inside = { ...link, target: 'd' };
  await refused(
    t,
    (world) => forged(world, [ROOT, inside, fileEntry('l/x', 'x')], [ROOT_THING]),
    /keeper\/kept\/l\/x is in no directory/,
  );
});

test('links that lead out only together are refused', async (t) => {
  const directory = (path: string): Thing => ({ ...ROOT, path });
  const link = (path: string, target: string): Thing => ({
    ...{ place: 'keeper/kept', path, type: 'symlink', target, uid: 0, gid: 0, mode: '0777' },
  });
  // d/up is the place itself, and what is above that is none of its business.
  const entries = [ROOT, directory('d'), link('d/up', '..'), link('out', 'd/up/..')];
  await refused(t, (world) => forged(world, entries, []), /keeper\/kept\/out is a link that leads out/);
  const nul = link('n', 'a\0b');
  await refused(t, (world) => forged(world, [ROOT, nul], []), /keeper\/kept\/n is a link that leads out/);
});

test('a place without anything in it is refused, and what stands there stays', async (t) => {
  const world = makeWorld(t);
  await forged(world, [], []);
  world.write('kept/mine', 'mine');
  const { exitCode, stderr } = await world.restore('--force', world.archive);
  assert.equal(exitCode, 1);
  assert.match(stderr, /cannot be believed: of keeper\/kept there is nothing/);
  assert.deepEqual(readdirSync(world.data), ['kept']);
});

test('devices, pipes and hard links are refused', async (t) => {
  for (const type of ['character-device', 'block-device', 'fifo', 'link']) {
    const thing = { name: 'keeper/kept/x', type, linkname: '/etc/passwd' };
    await refused(t, one(fileEntry('x', ''), thing), /is not keeper\/kept\/x as its table of contents has it/);
    await refused(t, one({ ...ROOT, path: 'x', type }, thing), /its table of contents cannot be read/);
  }
});

test('set-user-ID is refused', (t) =>
  refused(
    t,
    one(fileEntry('x', 'x', { mode: '4755' }), { name: 'keeper/kept/x', text: 'x' }),
    /cannot be read: entries\.1\.mode/,
  ));

test('a file with other bytes is refused', (t) =>
  refused(
    t,
    one(fileEntry('x', 'good'), { name: 'keeper/kept/x', text: 'evil' }),
    /keeper\/kept\/x is damaged: its checksum is another/,
  ));

test('a file of another size, one too many and one too few are refused', async (t) => {
  const thing = { name: 'keeper/kept/x', text: 'xx' };
  await refused(t, one(fileEntry('x', 'x'), thing), /is not keeper\/kept\/x as its table of contents has it/);
  await refused(t, (world) => forged(world, [ROOT], [ROOT_THING, thing]), /which its table of contents does not/);
  await refused(
    t,
    (world) => forged(world, [ROOT, fileEntry('x', 'x')], [ROOT_THING]),
    /it is cut off: keeper\/kept\/x is missing/,
  );
});

test('a thing named twice, and one of no place, are refused', async (t) => {
  await refused(t, (world) => forged(world, [ROOT, ROOT], [ROOT_THING, ROOT_THING]), /keeper\/kept is there twice/);
  await refused(t, (world) => forged(world, [{ ...ROOT, place: 'a/b' }], []), /a\/b is of no place/);
});

test('a format of the future is refused', (t) =>
  refused(t, (world) => forged(world, [], [], { format: 2 }), /cannot be read: format/));

test('a name of any length is not read into memory', (t) =>
  refused(
    t,
    (world) => writeFileSync(world.archive, zstdCompressSync(longNameOf(64 * 1024 * 1024))),
    /Header exceeds max size/,
  ));

/** A tar whose first entry has a name of so many bytes (pax, tar(5)). */
function longNameOf(size: number): Buffer {
  const header = Buffer.alloc(512);
  header.write('x', 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('x', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, Buffer.alloc(size, 'a')]);
}

test('what is small on disk and endless in memory, or behind its end, is refused', async (t) => {
  const nested = Buffer.alloc(4 * 1024 * 1024, '[');
  const only = async (text: Buffer): Promise<Buffer> => {
    const tar = pack();
    tar.entry({ name: 'manifest.json' }, text);
    tar.finalize();
    return buffer(tar);
  };
  await refused(
    t,
    async (world) => writeFileSync(world.archive, zstdCompressSync(await only(nested))),
    /its table of contents is too large/,
  );
  const zeros = Buffer.alloc(64 * 1024 * 1024);
  await refused(
    t,
    async (world) => {
      await forged(world, [ROOT], [ROOT_THING]);
      const tar = zstdDecompressSync(readFileSync(world.archive));
      writeFileSync(world.archive, zstdCompressSync(Buffer.concat([tar, zeros])));
    },
    /it does not end where its table of contents does/,
  );
});

test('a file that is no archive, and an empty one, are refused', async (t) => {
  await refused(t, (world) => writeFileSync(world.archive, 'hello'), /is no archive of bottled backup/);
  await refused(t, (world) => writeFileSync(world.archive, ''), /is no archive of bottled backup/);
  await refused(t, (world) => writeFileSync(world.archive, zstdCompressSync('hello')), /./);
  await refused(t, () => {}, /cannot read the archive .*archive\.tar\.zst: ENOENT: no such file or directory$/);
  await refused(t, (world) => mkdirSync(world.archive), /archive\.tar\.zst is no file/);
  await refused(
    t,
    (world) => execFileSync('mkfifo', [world.archive]),
    /is no file; what comes by a pipe is read from "-"/,
  );
});

test('an archive that is cut off or has one wrong bit anywhere never restores anything else than what was saved', async (t) => {
  const world = makeWorld(t);
  world.write('kept/a', 'some text, and more of it'.repeat(20));
  await world.backup('-o', world.archive);
  const good = readFileSync(world.archive);
  const { readArchive } = await import('../../backup/archive/read.ts');
  const file = join(world.directory, 'bad');
  const names = async (): Promise<string> => {
    const seen: string[] = [];
    const contents = await readArchive({ file, identity: undefined });
    for (const entry of contents.entries) if (entry.type === 'file') seen.push(`${entry.path} ${entry.sha256}`);
    return seen.join();
  };
  writeFileSync(file, good);
  const right = await names();
  const at = fc.integer({ min: 0, max: good.length - 1 });
  await fc.assert(
    fc.asyncProperty(at, fc.integer({ min: 0, max: 7 }), fc.boolean(), async (index, bit, isCut) => {
      const bad = Buffer.from(isCut ? good.subarray(0, index) : good);
      if (!isCut) bad.writeUInt8(bad.readUInt8(index) ^ (1 << bit), index);
      writeFileSync(file, bad);
      try {
        assert.equal(await names(), right);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof Error && !error.message.includes('\n'));
      }
    }),
    { numRuns: 200 },
  );
});
