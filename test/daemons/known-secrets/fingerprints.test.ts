import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readKnownSecrets, writeKnownSecrets } from '../../../daemons/known-secrets/file.ts';
import { finderOf, fingerprintsOf } from '../../../daemons/known-secrets/fingerprints.ts';

const value = randomBytes(20).toString('hex');
const secrets = [
  { name: 'TOKEN', value },
  { name: 'SHORT', value: randomBytes(7).toString('hex') },
];

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'known-secrets-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

describe('fingerprints of secrets', () => {
  it('find a secret without holding it', () => {
    const known = fingerprintsOf(secrets);
    const finder = finderOf(JSON.parse(JSON.stringify(known)));
    assert.deepEqual(finder.find(Buffer.from(`ü ${value}!`)), [
      { name: 'TOKEN', encoding: 'as it is', start: 3, end: 43 },
    ]);
    const text = JSON.stringify(known);
    for (let i = 0; i + 6 <= value.length; i++) assert.ok(!text.includes(value.slice(i, i + 6)));
  });

  it('find nothing else: not a secret that lacks a byte or differs in its last one', () => {
    const finder = finderOf(fingerprintsOf(secrets));
    for (const text of ['', value.slice(1), value.slice(0, -1), `${value.slice(0, -1)}x`]) {
      assert.deepEqual(finder.find(Buffer.from(text)), []);
    }
  });

  it('leave out what is shorter than 16 bytes, and say so by name', () => {
    const known = fingerprintsOf(secrets);
    assert.deepEqual(known.leftOut, ['SHORT']);
    assert.deepEqual(
      known.secrets.map(({ name }) => name),
      ['TOKEN'],
    );
  });

  it('are salted: the same secret looks different in each file, and is not its plain hash', () => {
    const [one, two] = [fingerprintsOf(secrets), fingerprintsOf(secrets)];
    assert.notEqual(one.salt, two.salt);
    assert.notEqual(one.secrets[0]?.sha256, two.secrets[0]?.sha256);
    assert.ok(!JSON.stringify(one).includes(createHash('sha256').update(value).digest('hex')));
  });

  it('tell no more than 16 bits beside the hash, whatever the number of encodings', () => {
    const known = fingerprintsOf(secrets);
    assert.equal(known.secrets.length, 1);
    assert.ok((known.secrets[0]?.window ?? -1) < 65_536);
  });
});

describe('a file of known secrets', () => {
  it('is read as it was written, by every user unless said otherwise', async (t) => {
    const file = join(scratch(t), 'known.json');
    const known = fingerprintsOf(secrets);
    await writeKnownSecrets(file, known);
    assert.deepEqual(readKnownSecrets(file), { ok: true, known });
    assert.equal(statSync(file).mode & 0o777, 0o644);
    await writeKnownSecrets(file, known, 0o640);
    assert.equal(statSync(file).mode & 0o777, 0o640);
    assert.ok(!readFileSync(file, 'utf8').includes(value));
  });

  it('is replaced at once, and nothing else is left behind', async (t) => {
    const directory = scratch(t);
    const file = join(directory, 'known.json');
    await writeKnownSecrets(file, fingerprintsOf([]));
    const before = statSync(file).ino;
    await writeKnownSecrets(file, fingerprintsOf(secrets));
    assert.notEqual(statSync(file).ino, before);
    assert.deepEqual(readdirSync(directory), ['known.json']);
  });

  it('that cannot be written leaves nothing behind', async (t) => {
    const directory = scratch(t);
    mkdirSync(join(directory, 'known.json'));
    await assert.rejects(writeKnownSecrets(join(directory, 'known.json'), fingerprintsOf([])));
    assert.deepEqual(readdirSync(directory), ['known.json']);
    assert.ok(!existsSync(join(directory, 'known.json', 'x')));
  });

  it('that is missing, broken or of another kind is told with a reason', (t) => {
    const file = join(scratch(t), 'known.json');
    assert.deepEqual(readKnownSecrets(file), { ok: false, reason: 'cannot be read (ENOENT)' });
    for (const text of ['', '{', '[]', '{"version":2}', JSON.stringify({ ...fingerprintsOf(secrets), salt: 'x' })]) {
      writeFileSync(file, text);
      assert.equal(readKnownSecrets(file).ok, false, text);
    }
  });
});
