import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld, flood, start, until, type World } from './world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const COUNT = 20_000;

/** Every line that the flooding programs wrote is there, whole and in order within its stream. */
function assertComplete(lines: readonly string[]): void {
  const next = new Map<string, number>();
  for (const line of lines) {
    const match = /^(\w) +\| (\w) (\d) (\d+) (x*)$/.exec(line);
    assert.ok(match, `torn: ${line}`);
    const [, prefix, name, fd, index, pad] = match;
    assert.equal(prefix, name);
    const stream = `${name} ${fd}`;
    assert.equal(Number(index), next.get(stream) ?? 0, `lost or reordered in ${stream}`);
    assert.equal(pad?.length, Number(index) % 150);
    next.set(stream, Number(index) + 1);
  }
  assert.equal(next.size, NAMES.length * 2);
  for (const [stream, count] of next) assert.equal(count, COUNT, stream);
}

async function floodThrough(world: World): Promise<void> {
  const writers = NAMES.map((name) => start(world.logs, name, flood(name, COUNT)));
  await Promise.all(writers.map((writer) => writer.ended));
  assert.equal(await world.logs.flush(30_000), true);
}

test('five floods into one fast reader: no line torn, lost or reordered', async () => {
  const world = createWorld({ format: 'text' });
  await floodThrough(world);
  await until(() => world.reader.lines().length >= NAMES.length * 2 * COUNT, 'all lines');
  assertComplete(world.reader.lines());
  await world.close();
  for (const name of NAMES) {
    const { bytes, lines, dropped } = world.logs.counters(name);
    assert.deepEqual({ lines, dropped }, { lines: 2 * COUNT, dropped: 0 });
    assert.ok(bytes > 0);
  }
});

test('block: a reader that stops and goes on slows the daemons, and gets every line', async () => {
  const world = createWorld({ format: 'text' });
  world.reader.pause();
  const done = floodThrough(world);
  await until(() => world.logs.output().queued >= 1_048_576, 'a full queue');
  assert.equal(await world.logs.flush(20), false);
  assert.ok(world.logs.output().queued < 3 * 1_048_576, 'the queue is bounded');
  world.reader.resume();
  await done;
  await until(() => world.reader.lines().length >= NAMES.length * 2 * COUNT, 'all lines');
  assertComplete(world.reader.lines());
  await world.close();
});

test('drop: a reader that stops does not slow the daemon; whole lines are lost, counted and reported', async () => {
  const world = createWorld({ format: 'text' });
  world.reader.pause();
  const writer = start(world.logs, 'a', flood('a', 30_000), { on_full: 'drop' });
  await writer.exited;
  await writer.ended;
  const { lines, dropped } = world.logs.counters('a');
  assert.equal(lines, 60_000);
  assert.ok(dropped > 0);
  world.reader.resume();
  const report = `bottled | a: ${dropped} lines dropped, stdout is slow`;
  await until(() => world.reader.lines().includes(report), 'the report');
  const shown = world.reader.lines().filter((line) => line !== report);
  assert.equal(shown.length, 60_000 - dropped);
  for (const line of shown) assert.match(line, /^a {6} \| a \d \d+ x*$/);
  assert.equal(world.logs.read(['a'], 1)[0]?.line.startsWith('a 2 29999 '), true, 'the ring has what was dropped');
  await world.close();
});

test('a reader that leaves: output is discarded and counted, the daemons run on', async () => {
  const world = createWorld({ format: 'text' });
  const writers = NAMES.map((name) => start(world.logs, name, flood(name, COUNT)));
  await until(() => world.reader.text().length > 0, 'some output');
  world.reader.leave();
  await Promise.all(writers.map((writer) => writer.ended));
  assert.equal(await world.logs.flush(10_000), true);
  assert.equal(world.logs.output().closed, 'EPIPE');
  assert.equal(world.logs.output().queued, 0);
  world.logs.write('nobody reads this\n');
  const counters = NAMES.map((name) => world.logs.counters(name));
  assert.ok(counters.every(({ lines }) => lines === 2 * COUNT));
  assert.ok(counters.some(({ dropped }) => dropped > 0));
});
