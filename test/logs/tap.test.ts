import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { makePipe } from '../../init/posix/descriptors.ts';
import { createWorld, LOGGING, start, until } from './world.ts';

test('what a daemon wrote before it died is complete once endWithin returns', async () => {
  const world = createWorld();
  const { read, write } = makePipe();
  const tap = world.logs.attach('a', 'stderr', read, LOGGING);
  writeSync(write, 'one\ntwo\nlast words');
  closeSync(write);
  tap.endWithin(10_000);
  assert.deepEqual(world.logs.lastLines('a', 'stderr', 2), ['two', 'last words']);
  await tap.ended;
  await world.close();
});

test('a later deadline does not hold up an earlier one', async () => {
  const world = createWorld();
  const { read, write } = makePipe();
  const tap = world.logs.attach('a', 'stdout', read, LOGGING);
  tap.endWithin(600_000);
  tap.endWithin(10);
  tap.endWithin(600_000);
  await tap.ended;
  closeSync(write);
  await world.close();
});

test('draining shows the lines so far, and the pipe stays open', async () => {
  const world = createWorld();
  const { read, write } = makePipe();
  const tap = world.logs.attach('a', 'stderr', read, LOGGING);
  writeSync(write, 'one\ntwo\nnot yet');
  tap.drain();
  assert.deepEqual(world.logs.lastLines('a', 'stderr', 9), ['one', 'two']);
  writeSync(write, ' whole\n');
  closeSync(write);
  await tap.ended;
  assert.deepEqual(world.logs.lastLines('a', 'stderr', 1), ['not yet whole']);
  await world.close();
});

test('a pipe that a grandchild holds is read on, then closed at the deadline', async () => {
  const world = createWorld();
  const script = 'sleep 300 & echo $!; printf "one\\ntwo"';
  const writer = start(world.logs, 'a', ['sh', '-c', script]);
  await writer.exited;
  writer.stdout.endWithin(50);
  writer.stderr.endWithin(50);
  await writer.ended;
  await world.logs.flush(10_000);
  await until(() => world.reader.lines().length === 3, 'three lines');
  const [grandchild, ...rest] = world.reader.lines();
  assert.deepEqual(rest, ['one', 'two']);
  process.kill(Number(grandchild), 'SIGKILL');
  await world.close();
});

test('a grandchild that floods its pipe without end cannot hold the deadline up', async () => {
  const world = createWorld();
  const writer = start(world.logs, 'a', ['sh', '-c', 'yes & echo $! >&2']);
  await writer.exited;
  writer.stdout.endWithin(20);
  writer.stderr.endWithin(20);
  await writer.ended;
  process.kill(Number(world.logs.lastLines('a', 'stderr', 1)[0]), 'SIGKILL');
  await world.close();
});

test('a deadline is kept although the reader of stdout has stopped, and nothing is lost', async () => {
  const world = createWorld();
  world.reader.pause();
  const { read, write } = makePipe();
  const tap = world.logs.attach('a', 'stdout', read, LOGGING);
  world.logs.write(`${'x'.repeat(2_000_000)}\n`);
  writeSync(write, `${'1\n'.repeat(20_000)}last\n`);
  tap.endWithin(0);
  await tap.ended;
  closeSync(write);
  world.reader.resume();
  await until(() => world.reader.text().endsWith('last\n'), 'the last line');
  assert.equal(world.reader.lines().length, 20_002);
  await world.close();
});

test('nothing but a pipe can be attached', async () => {
  const world = createWorld();
  assert.throws(() => world.logs.attach('a', 'stdout', 9999, LOGGING));
  await world.close();
});
