import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import type { LogRecord, Stream } from '../../init/logs/logs.ts';
import { makePipe } from '../../init/posix/descriptors.ts';
import { createWorld, LOGGING, until, type World } from './world.ts';

/** Writes what a daemon would write, and waits until the logs have it. */
async function say(
  world: World,
  daemon: string,
  text: string,
  stream: Stream = 'stdout',
  logging = LOGGING,
): Promise<void> {
  const { read, write } = makePipe();
  const tap = world.logs.attach(daemon, stream, read, logging);
  writeSync(write, text);
  closeSync(write);
  await tap.ended;
}

test('the newest lines of several daemons come in the order in which they were read', async () => {
  const world = createWorld({ now: () => 42 });
  await say(world, 'a', 'a1\na2\n');
  await say(world, 'b', 'b1\n', 'stderr');
  await say(world, 'a', 'a3\r\n');
  const shown = (names: string[], count: number) => world.logs.read(names, count).map(({ line }) => line);
  assert.deepEqual(shown([], 10), ['a1', 'a2', 'b1', 'a3']);
  assert.deepEqual(shown(['a', 'b'], 3), ['a2', 'b1', 'a3']);
  assert.deepEqual(shown(['a'], 2), ['a2', 'a3']);
  assert.deepEqual(shown(['unknown'], 2), []);
  assert.deepEqual(shown([], 0), []);
  assert.deepEqual(world.logs.read(['b'], 1), [{ time: 42, daemon: 'b', stream: 'stderr', line: 'b1' }]);
  await world.close();
});

test('the ring survives a change of its size; a forgotten daemon leaves nothing', async () => {
  const world = createWorld();
  await say(world, 'a', 'one\ntwo\nthree\n');
  await say(world, 'a', '', 'stdout', { ...LOGGING, ring: 30 });
  assert.deepEqual(
    world.logs.read(['a'], 9).map(({ line }) => line),
    ['two', 'three'],
  );
  world.logs.forget('a');
  assert.deepEqual(world.logs.read([], 9), []);
  assert.deepEqual(world.logs.counters('a'), { bytes: 0, lines: 0, dropped: 0 });
  await world.close();
});

test('last lines are those of the stream since its daemon was last started', async () => {
  const world = createWorld();
  await say(world, 'a', 'from the first run\n', 'stderr');
  assert.deepEqual(world.logs.lastLines('a', 'stderr', 5), ['from the first run']);
  await say(world, 'a', 'out\n', 'stdout');
  await say(world, 'a', 'one\ntwo\nthree\n', 'stderr');
  assert.deepEqual(world.logs.lastLines('a', 'stderr', 2), ['two', 'three']);
  assert.deepEqual(world.logs.lastLines('a', 'stdout', 2), ['out']);
  assert.deepEqual(world.logs.lastLines('b', 'stdout', 2), []);
  await world.close();
});

test('the last lines of stderr are kept for the diagnosis whatever stdout floods, even without a ring', async () => {
  const world = createWorld();
  const logging = { ...LOGGING, ring: 0 };
  await say(world, 'a', 'cannot bind: address in use\n', 'stderr', logging);
  await say(world, 'a', 'noise\n'.repeat(10_000), 'stdout', logging);
  assert.deepEqual(world.logs.lastLines('a', 'stderr', 3), ['cannot bind: address in use']);
  assert.deepEqual(world.logs.read(['a'], 3), []);
  await world.close();
});

test('a follower gets every line of its daemons from then on, until it stops', async () => {
  const world = createWorld();
  const [ofA, ofAll]: [LogRecord[], LogRecord[]] = [[], []];
  await say(world, 'a', 'before\n');
  const stopA = world.logs.follow(['a'], (record) => ofA.push(record));
  const stopAll = world.logs.follow([], (record) => ofAll.push(record));
  await say(world, 'a', 'one\n\nthree');
  await say(world, 'b', 'other\n');
  stopA();
  stopAll();
  await say(world, 'a', 'after\n');
  assert.deepEqual(
    ofA.map(({ line }) => line),
    ['one', '', 'three'],
  );
  assert.deepEqual(
    ofAll.map(({ daemon, line }) => `${daemon} ${line}`),
    ['a one', 'a ', 'a three', 'b other'],
  );
  await world.close();
});

test('a pattern calls back once, at the first line that matches, on either stream', async () => {
  const world = createWorld();
  const calls: string[] = [];
  world.logs.onMatch('a', /^listening on \d+$/g, () => calls.push('listening'));
  const stop = world.logs.onMatch('a', /ready/, () => calls.push('ready'));
  await say(world, 'b', 'listening on 80\n');
  await say(world, 'a', 'soon listening on 80\n');
  assert.deepEqual(calls, []);
  await say(world, 'a', 'x\nlistening on 80\nlistening on 81\n', 'stderr');
  await say(world, 'a', 'listening on 82\n');
  stop();
  await say(world, 'a', 'ready\n');
  assert.deepEqual(calls, ['listening']);
  await world.close();
});

test('whoever sees a line may have another pipe drained meanwhile', async () => {
  const world = createWorld();
  const [a, b] = [makePipe(), makePipe()];
  const tapA = world.logs.attach('a', 'stdout', a.read, LOGGING);
  const tapB = world.logs.attach('b', 'stdout', b.read, LOGGING);
  const seen: string[] = [];
  world.logs.onMatch('a', /a1/, () => tapB.drain());
  world.logs.follow(['a', 'b'], ({ line }) => seen.push(line));
  writeSync(b.write, 'b1\nb2\nb3\n');
  writeSync(a.write, 'a1\na2\n');
  tapA.drain();
  assert.deepEqual(seen, ['b1', 'b2', 'b3', 'a1', 'a2']);
  for (const { write } of [a, b]) closeSync(write);
  await Promise.all([tapA.ended, tapB.ended]);
  await world.logs.flush(10_000);
  await until(() => world.reader.lines().length === 5, 'five lines');
  assert.deepEqual(world.reader.lines(), ['a1', 'a2', 'b1', 'b2', 'b3']);
  await world.close();
});

test('a secret appears nowhere: not in the output, the ring, the last lines, or to a follower', async () => {
  const world = createWorld({ format: 'json' });
  const seen: string[] = [];
  world.logs.mask(['hunter22hunter22']);
  world.logs.follow([], ({ line }) => seen.push(line));
  const { read, write } = makePipe();
  const tap = world.logs.attach('a', 'stderr', read, LOGGING);
  writeSync(write, 'key=hunter22');
  tap.drain();
  writeSync(write, 'hunter22!\n');
  closeSync(write);
  await tap.ended;
  world.logs.own('info', 'a', 'started with hunter22hunter22');
  world.logs.write('own hunter22hunter22\n');
  await world.logs.flush(10_000);
  assert.deepEqual(seen, ['key=***!']);
  assert.deepEqual(world.logs.lastLines('a', 'stderr', 1), ['key=***!']);
  assert.equal(world.logs.read(['a'], 1)[0]?.line, 'key=***!');
  await until(() => world.reader.lines().length === 3, 'three lines');
  assert.doesNotMatch(world.reader.text(), /hunter/);
  await world.close();
});

test('a value that becomes a secret later is masked in what was kept before', async () => {
  const world = createWorld();
  await say(world, 'a', 'token: swordfish\n', 'stderr');
  world.logs.mask(['swordfish']);
  assert.equal(world.logs.read(['a'], 1)[0]?.line, 'token: ***');
  assert.deepEqual(world.logs.lastLines('a', 'stderr', 1), ['token: ***']);
  await world.close();
});
