import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createOutput, type Output } from '../../init/logs/output.ts';
import { makePipe, setNonBlocking } from '../../init/posix/descriptors.ts';
import { until } from './world.ts';

const HIGH_WATER = 1_048_576;

function outputTo(fd: number): Output {
  return createOutput({ fd, highWater: HIGH_WATER, onDrain: () => {} });
}

function put(output: Output, text: string): void {
  output.append(text, text.length);
  output.send();
}

test('what is queued arrives in order, however much it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bottled-'));
  const file = join(folder, 'out');
  const fd = openSync(file, 'w');
  const output = outputTo(fd);
  const parts = Array.from({ length: 300 }, (_, index) => `${index}:${'x'.repeat((index * 7919) % 20_000)}\n`);
  for (const part of parts) put(output, part);
  put(output, 'y'.repeat(1_000_000));
  assert.equal(await output.flush(10_000), true);
  assert.equal(readFileSync(file, 'latin1'), `${parts.join('')}${'y'.repeat(1_000_000)}`);
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

test('a description that someone made non-blocking is written to all the same', async () => {
  const { read, write } = makePipe();
  setNonBlocking(write);
  const output = outputTo(write);
  put(output, 'x'.repeat(200_000));
  assert.equal(await output.flush(20), false);
  const buffer = Buffer.alloc(65_536);
  let length = 0;
  while (length < 200_000) {
    await until(() => output.queued() < 200_000 - length, 'progress');
    length += readSync(read, buffer);
  }
  assert.equal(await output.flush(10_000), true);
  closeSync(read);
  closeSync(write);
});

test('a full disk is waited for: nothing is discarded, and the queue becomes full', async () => {
  const fd = openSync('/dev/full', 'w');
  const output = outputTo(fd);
  put(output, 'x'.repeat(HIGH_WATER));
  assert.equal(await output.flush(30), false);
  assert.equal(output.closed(), undefined);
  assert.equal(output.queued(), HIGH_WATER);
  assert.equal(output.isFull(), true);
  closeSync(fd);
});

test('a closed reader closes the output: what waits and what comes is discarded', async () => {
  const { read, write } = makePipe();
  closeSync(read);
  const output = outputTo(write);
  put(output, 'x\n');
  assert.equal(await output.flush(10_000), true);
  assert.equal(output.closed(), 'EPIPE');
  put(output, 'y\n');
  assert.equal(output.queued(), 0);
  closeSync(write);
});
