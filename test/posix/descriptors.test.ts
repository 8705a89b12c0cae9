import assert from 'node:assert/strict';
import { closeSync, readSync, writeSync } from 'node:fs';
import test from 'node:test';
import { duplicate, makePipe, resizePipe, setNonBlocking } from '../../init/posix/descriptors.ts';
import { errnoName, errnoOf } from '../../init/posix/errno.ts';

test('what is written to one end of a pipe is read from the other', () => {
  const { read, write } = makePipe();
  const buffer = Buffer.alloc(16);
  writeSync(write, 'hello');
  assert.equal(buffer.toString('utf8', 0, readSync(read, buffer)), 'hello');
  closeSync(write);
  assert.equal(readSync(read, buffer), 0);
  closeSync(read);
});

test('an end that does not block says EAGAIN where it would wait', () => {
  const { read, write } = makePipe();
  setNonBlocking(read);
  assert.throws(() => readSync(read, Buffer.alloc(1)), { code: 'EAGAIN' });
  closeSync(read);
  closeSync(write);
});

test('a pipe can be made larger, within what the kernel allows', () => {
  const { read, write } = makePipe();
  assert.equal(resizePipe(write, 262_144), true);
  setNonBlocking(write);
  assert.equal(writeSync(write, Buffer.alloc(200_000)), 200_000);
  closeSync(read);
  closeSync(write);
});

test('a duplicate has at least the number asked for, and a failed call tells its errno', () => {
  const { read, write } = makePipe();
  const copy = duplicate(write, 100);
  assert.ok(copy >= 100);
  for (const fd of [read, write, copy]) closeSync(fd);
  assert.throws(() => duplicate(copy, 100), { name: 'PosixError', code: 'EBADF' });
});

test('errors have the names of errno(3)', () => {
  assert.equal(errnoName(2), 'ENOENT');
  assert.equal(errnoName(99_999), 'errno 99999');
  assert.equal(errnoOf(new Error('no errno')), 'EIO');
});
