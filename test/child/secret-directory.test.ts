import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { readSecretDirectory } from '../../init/child/secret-directory.ts';

function room(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'bottled-mounted-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

/** The secrets as text by name; or what is wrong. */
function read(path: string): Readonly<Record<string, string>> | string {
  const secrets = readSecretDirectory(path);
  if ('error' in secrets) return secrets.error;
  return Object.fromEntries(secrets.map(({ target, value }) => [target, String(value)]));
}

test('each file of the directory is a secret under its own name, whatever bytes it holds', (t) => {
  const path = room(t, { EGRESS_TOKEN_1: 'one\n', 'deploy.key': '' });
  writeFileSync(join(path, 'bytes'), Buffer.from([0, 255]));
  const secrets = readSecretDirectory(path);
  assert.ok(!('error' in secrets));
  assert.deepEqual(secrets, [
    { target: 'EGRESS_TOKEN_1', value: Buffer.from('one\n') },
    { target: 'bytes', value: Buffer.from([0, 255]) },
    { target: 'deploy.key', value: Buffer.from('') },
  ]);
});

test('a directory that is missing, empty or not named holds no secrets', (t) => {
  const path = room(t);
  assert.deepEqual([read(path), read(join(path, 'none')), read('')], [{}, {}, {}]);
});

test('dot files, subdirectories and names that no secret can have are passed over', (t) => {
  const path = room(t, { '.hidden': 'x', 'a b': 'x', 'token~': 'x', _x: 'x', token: 'yes' });
  mkdirSync(join(path, 'sub'));
  assert.deepEqual(read(path), { token: 'yes' });
});

test('secrets as Kubernetes mounts them are read, before and after they are swapped', (t) => {
  const path = room(t);
  mkdirSync(join(path, '..2026_1'));
  mkdirSync(join(path, '..2026_2'));
  writeFileSync(join(path, '..2026_1/token'), 'old');
  writeFileSync(join(path, '..2026_2/token'), 'new');
  symlinkSync('..2026_1', join(path, '..data'));
  symlinkSync('..data/token', join(path, 'token'));
  assert.deepEqual(read(path), { token: 'old' });
  symlinkSync('..2026_2', join(path, '..next'));
  renameSync(join(path, '..next'), join(path, '..data'));
  assert.deepEqual(read(path), { token: 'new' });
});

test('a link out of the directory is refused: its owner must not have the init read other files for it', (t) => {
  const outside = room(t, { shadow: 'secret' });
  const path = room(t);
  symlinkSync(join(outside, 'shadow'), join(path, 'token'));
  assert.equal(read(path), `${path}/token leads out of the directory: put the file itself there`);
  const sibling = `${path}-sibling`;
  mkdirSync(sibling);
  t.after(() => rmSync(sibling, { recursive: true }));
  writeFileSync(join(sibling, 'token'), 'secret');
  rmSync(join(path, 'token'));
  symlinkSync(join(sibling, 'token'), join(path, 'token'));
  assert.match(String(read(path)), /leads out of the directory/);
});

test('a directory that is itself a link is read', (t) => {
  const path = room(t, { token: 'yes' });
  const link = `${path}-link`;
  symlinkSync(path, link);
  t.after(() => rmSync(link));
  assert.deepEqual(read(link), { token: 'yes' });
});

test('a pipe does not keep the init waiting', (t) => {
  const path = room(t);
  execFileSync('mkfifo', [join(path, 'pipe')]);
  assert.equal(read(path), `${path}/pipe is no regular file`);
});

test('a file, and a directory beyond the bounds, are told with what to do', (t) => {
  const path = room(t, { file: 'x' });
  assert.match(String(read(join(path, 'file'))), /file is no directory: name the directory that holds the file/);
  writeFileSync(join(path, 'large'), Buffer.alloc(1_048_577));
  assert.equal(read(path), `${path}/large holds more than 1048576 bytes`);
  const many = room(t);
  for (let index = 0; index < 257; index += 1) writeFileSync(join(many, `s${index}`), '');
  assert.equal(read(many), `${many} holds more than 256 files`);
  const heavy = room(t);
  for (let index = 0; index < 5; index += 1) writeFileSync(join(heavy, `s${index}`), Buffer.alloc(1_048_576));
  assert.equal(read(heavy), `${heavy} holds more than 4194304 bytes`);
});
