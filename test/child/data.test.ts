import assert from 'node:assert/strict';
import {
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { DataDirectory } from '../../init/bundle/schema.ts';
import { provideData } from '../../init/child/data.ts';
import { notRoot } from '../posix/pid-namespace.ts';

const me = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const web = { uid: 4000, gid: 4001 };

function room(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'bottled-data-')));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function data(path: string, mode = 0o700): DataDirectory[] {
  return [{ path, mode, backup: 'must-back-up', purpose: '' }];
}

/** What is there now: owner, group and mode. */
function look(path: string): readonly [number, number, string] {
  const { uid, gid, mode } = statSync(path);
  return [uid, gid, (mode & 0o7777).toString(8)];
}

test('a missing directory is made for its user with its mode, and those above it are the own ones of the init', {
  skip: notRoot,
}, (t) => {
  const top = room(t);
  const mask = process.umask(0o077);
  t.after(() => process.umask(mask));
  assert.equal(provideData(data(join(top, 'a/b/web'), 0o2711), web), undefined);
  assert.deepEqual(look(join(top, 'a')), [0, 0, '755']);
  assert.deepEqual(look(join(top, 'a/b')), [0, 0, '755']);
  assert.deepEqual(look(join(top, 'a/b/web')), [4000, 4001, '2711']);
});

test('an init that is not root, or a daemon that runs as it, has the directory as its own', (t) => {
  const top = room(t);
  assert.equal(provideData(data(join(top, 'a/own'), 0o750), me), undefined);
  assert.deepEqual(look(join(top, 'a/own')), [me.uid, me.gid, '750']);
});

test('an empty directory of the init is a fresh volume: it is given to the user', { skip: notRoot }, (t) => {
  const top = room(t);
  for (const [name, ...content] of [['fresh'], ['ext4', 'lost+found']]) {
    const volume = join(top, name ?? '');
    mkdirSync(volume, { mode: 0o755 });
    for (const entry of content) mkdirSync(join(volume, entry));
    assert.equal(provideData(data(volume), web), undefined);
    assert.deepEqual(look(volume), [4000, 4001, '700']);
    for (const entry of content) assert.equal(statSync(join(volume, entry)).uid, 0);
  }
});

test("a directory that holds something, or is another user's, is left as it is", { skip: notRoot }, (t) => {
  const top = room(t);
  const full = join(top, 'full');
  mkdirSync(full, { mode: 0o755 });
  writeFileSync(join(full, '.kept'), '');
  const foreign = join(top, 'foreign');
  mkdirSync(foreign, { mode: 0o755 });
  chownSync(foreign, 4002, 4002);
  for (const path of [full, foreign]) assert.equal(provideData(data(path), web), undefined);
  assert.deepEqual(look(full), [0, 0, '755']);
  assert.deepEqual(look(join(full, '.kept')).slice(0, 2), [0, 0]);
  assert.deepEqual(look(foreign), [4002, 4002, '755']);
});

test('a symbolic link in its place is not followed', { skip: notRoot }, (t) => {
  const top = room(t);
  mkdirSync(join(top, 'precious'), { mode: 0o755 });
  symlinkSync('precious', join(top, 'link'));
  symlinkSync('nowhere', join(top, 'dangling'));
  assert.equal(provideData(data(join(top, 'link')), web), undefined);
  assert.equal(provideData(data(join(top, 'dangling')), web), undefined);
  assert.deepEqual(look(join(top, 'precious')), [0, 0, '755']);
  assert.deepEqual(readdirSync(top).sort(), ['dangling', 'link', 'precious']);
});

test('a symbolic link that a daemon put on the way leads nowhere; one of the operator does', { skip: notRoot }, (t) => {
  const top = room(t);
  mkdirSync(join(top, 'system'), { mode: 0o755 });
  mkdirSync(join(top, 'evil'), { mode: 0o755 });
  symlinkSync(join(top, 'system'), join(top, 'evil/data'));
  lchownSync(join(top, 'evil/data'), 4002, 4002);
  const refused = provideData(data(join(top, 'evil/data/web')), web);
  assert.equal(refused?.error.errno, 'EPERM');
  assert.match(
    refused?.error.message ?? '',
    /^data: .*\/evil\/data\/web is not gone to: "data" on the way is a symbolic link of uid 4002, .*; write the path without it$/,
  );
  assert.deepEqual(readdirSync(join(top, 'system')), []);

  for (const [link, target] of [
    ['absolute', join(top, 'system')],
    ['relative', './evil/../system'],
  ] as const) {
    symlinkSync(target, join(top, link));
    assert.equal(provideData(data(join(top, link, link)), web), undefined);
    assert.deepEqual(look(join(top, 'system', link)), [4000, 4001, '700']);
  }
  symlinkSync('loop', join(top, 'loop'));
  assert.match(
    provideData(data(join(top, 'loop/web')), web)?.error.message ?? '',
    /loop\/web cannot be (reached|made)/,
  );
});

test('what cannot be made is one line with the path and the remedy, and a cause that may be mended', (t) => {
  const top = room(t);
  writeFileSync(join(top, 'file'), '');
  const there = provideData(data(join(top, 'file')), web)?.error;
  assert.deepEqual(there, {
    errno: 'EPERM',
    message: `data: ${top}/file is there and is no directory: move it away, or name another path`,
  });
  const below = provideData(data(join(top, 'file/web')), web)?.error;
  assert.deepEqual(below, {
    errno: 'EPERM',
    message: `data: ${top}/file/web cannot be made for uid 4000 (ENOTDIR): a part of its path is no directory: move that away, or name another path`,
  });
});

test('the first that cannot be made is told, and those before it are there', (t) => {
  const top = room(t);
  writeFileSync(join(top, 'file'), '');
  const all = ['one', 'file', 'two'].flatMap((name) => data(join(top, name)));
  assert.match(provideData(all, me)?.error.message ?? '', /\/file is there/);
  assert.deepEqual(readdirSync(top).sort(), ['file', 'one']);
});
