import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect } from '../../init/lifecycle/effect.ts';
import { createState, transition } from '../../init/lifecycle/transition.ts';
import { bundleOf, kills, only, type Play, play } from './play.ts';

const ALWAYS = { command: 'a', restart: 'always' };

function end(run: Play): readonly Effect[] {
  return run.send({ type: 'signal', signal: 'SIGTERM' });
}

function exitOf(effects: readonly Effect[]): { code: number; decidedBy: string | undefined } {
  const exit = only(effects, 'exit')[0];
  assert.ok(exit, 'the bundle has not ended');
  return { code: exit.code, decidedBy: exit.decidedBy };
}

test('the stop order is the reverse of the dependency graph, branches in parallel', () => {
  const run = play({
    daemons: { a: ALWAYS, b: { ...ALWAYS, depends_on: ['a'] }, c: { ...ALWAYS, depends_on: ['a'] }, d: ALWAYS },
  });
  run.spawned('a', 'd');
  run.spawned('b', 'c');
  assert.deepEqual(kills(end(run)), ['b:SIGTERM', 'c:SIGTERM', 'd:SIGTERM']);
  assert.deepEqual(kills(run.exited('b', { code: 0 })), []);
  assert.deepEqual(kills(run.exited('c', { code: 0 })), ['a:SIGTERM']);
});

test('the bundle ends as soon as nothing is left', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  end(run);
  const effects = run.exited('a', { signal: 'SIGTERM' });
  assert.deepEqual(
    effects.slice(-2).map((effect) => effect.type),
    ['kill-everything', 'exit'],
  );
});

test('what has not ended by the bundle’s own deadline is killed, and the bundle ends in any case', () => {
  const run = play({ stop_grace_period: '8s', daemons: { a: { ...ALWAYS, stop_grace_period: '1h' } } });
  run.spawned('a');
  end(run);
  assert.deepEqual(kills(run.wait(7_999)), []);
  assert.deepEqual(kills(run.wait(1)), ['a:SIGKILL']);
  assert.equal(exitOf(run.wait(2_000)).code, 137);
});

test('a second SIGTERM or SIGINT kills at once', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const run = play({ daemons: { a: ALWAYS, b: { ...ALWAYS, depends_on: ['a'] } } });
    run.spawned('a');
    run.spawned('b');
    end(run);
    assert.deepEqual(kills(run.send({ type: 'signal', signal })), ['a:SIGKILL', 'b:SIGKILL']);
  }
});

test('the first SIGTERM during an end that a daemon began does not kill yet', () => {
  const run = play({ daemons: { main: { command: 'm', essential: true }, a: ALWAYS } });
  run.spawned('main', 'a');
  run.exited('main', { code: 0 });
  assert.deepEqual(kills(end(run)), []);
});

test('an essential daemon that ends for good ends the bundle', () => {
  const run = play({ daemons: { main: { command: 'm', essential: true }, a: ALWAYS } });
  run.spawned('main', 'a');
  assert.deepEqual(kills(run.exited('main', { code: 4 })), ['a:SIGTERM']);
  assert.deepEqual(exitOf(run.exited('a', { signal: 'SIGTERM' })), { code: 4, decidedBy: 'main' });
});

test('an essential daemon that the operator stopped does not end the bundle', () => {
  const run = play({ daemons: { main: { command: 'm', essential: true }, a: ALWAYS } });
  run.spawned('main', 'a');
  run.command('main', { do: 'stop' });
  run.exited('main', { signal: 'SIGTERM' });
  assert.equal(run.state().shutdown, undefined);
});

test('the bundle ends when every daemon has ended by itself', () => {
  const run = play({ daemons: { a: { command: 'a' }, b: { command: 'b' } } });
  run.spawned('a', 'b');
  run.exited('a', { code: 0 });
  assert.deepEqual(exitOf(run.exited('b', { code: 5 })), { code: 5, decidedBy: 'b' });
});

test('exit code: daemons that completed, stopped well or are fine count 0', () => {
  const run = play({ daemons: { done: { command: 'd' }, term: ALWAYS, code: ALWAYS } });
  run.spawned('done', 'term', 'code');
  run.exited('done', { code: 0 });
  end(run);
  run.exited('term', { signal: 'SIGTERM' });
  assert.deepEqual(exitOf(run.exited('code', { code: 143 })), { code: 0, decidedBy: undefined });
});

test('exit code: a daemon that failed for good counts its last code, by signal n 128 + n', () => {
  const run = play({ daemons: { code: { command: 'c' }, signal: { command: 's' } } });
  run.spawned('code', 'signal');
  run.exited('code', { code: 3 });
  assert.deepEqual(exitOf(run.exited('signal', { signal: 'SIGSEGV' })), { code: 139, decidedBy: 'signal' });
});

test('exit code: never spawned counts 127 where it was not found, 126 where it could not be run', () => {
  for (const [errno, code] of [
    ['ENOENT', 127],
    ['EACCES', 126],
  ] as const) {
    const run = play({ daemons: { a: { command: 'a' } } });
    const effects = run.send({ type: 'spawn-failed', daemon: 'a', incarnation: 1, error: { errno, message: errno } });
    assert.equal(exitOf(effects).code, code);
  }
});

test('exit code: a daemon that never ran because its dependency failed counts 0', () => {
  const run = play({
    daemons: { a: { command: 'a' }, b: { command: 'b', depends_on: { a: { condition: 'service_healthy' } } } },
  });
  run.spawned('a');
  assert.deepEqual(exitOf(run.exited('a', { code: 9 })), { code: 9, decidedBy: 'a' });
});

test('exit code: a daemon between two tries counts its last code', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  run.exited('a', { code: 6 });
  run.spawned('a');
  run.exited('a', { code: 7 });
  assert.equal(run.status('a'), 'backoff');
  assert.deepEqual(exitOf(end(run)), { code: 7, decidedBy: 'a' });
});

test('exit code: a daemon that crashed and recovered counts 0', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  run.exited('a', { code: 6 });
  run.spawned('a');
  end(run);
  assert.equal(exitOf(run.exited('a', { signal: 'SIGTERM' })).code, 0);
});

test('exit code: one that ended badly during the shutdown counts its code', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  end(run);
  assert.deepEqual(exitOf(run.exited('a', { code: 5 })), { code: 5, decidedBy: 'a' });
});

test('exit code: one that had to be killed after its grace counts 137', () => {
  const run = play({ daemons: { a: { ...ALWAYS, stop_grace_period: '1s' } } });
  run.spawned('a');
  end(run);
  run.wait(1_000);
  assert.deepEqual(exitOf(run.exited('a', { signal: 'SIGKILL' })), { code: 137, decidedBy: 'a' });
});

test('exit code: a leader that left well whose group had to be killed counts 0 and is an incident', () => {
  const run = play({ daemons: { a: { ...ALWAYS, stop_grace_period: '1s' } } });
  run.spawned('a');
  end(run);
  run.exited('a', { code: 0 }, { remains: true });
  const effects = run.wait(1_000);
  assert.equal(only(effects, 'incident')[0]?.cause.kind, 'killed-after-grace');
  assert.equal(exitOf(run.gone('a')).code, 0);
});

test('exit_code first: the earliest bad end decides', () => {
  const run = play({ exit_code: 'first', daemons: { a: { command: 'a' }, b: { command: 'b' } } });
  run.spawned('a', 'b');
  run.wait(10);
  run.exited('b', { code: 2 });
  run.wait(10);
  assert.deepEqual(exitOf(run.exited('a', { code: 9 })), { code: 2, decidedBy: 'b' });
});

test('exit_code from:<daemon>: its own code decides, whatever the others did', () => {
  const run = play({ exit_code: 'from:a', daemons: { a: { command: 'a' }, b: { command: 'b' } } });
  run.spawned('a', 'b');
  run.exited('b', { code: 2 });
  assert.deepEqual(exitOf(run.exited('a', { code: 0 })), { code: 0, decidedBy: 'a' });
});

test('an internal fault ends the bundle in order, with code 70', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  assert.deepEqual(kills(run.send({ type: 'fault', detail: 'cannot spawn' })), ['a:SIGTERM']);
  assert.equal(exitOf(run.exited('a', { code: 0 })).code, 70);
});

test('after the end nothing follows from anything', () => {
  const run = play({ daemons: { a: { command: 'a' } } });
  run.spawned('a');
  run.exited('a', { code: 0 });
  assert.deepEqual(run.send({ type: 'signal', signal: 'SIGTERM' }), []);
});

test('a SIGTERM before the beginning ends the bundle without a start', () => {
  const state = createState(bundleOf({ daemons: { a: ALWAYS } }), 1);
  const { effects } = transition(state, { type: 'signal', signal: 'SIGTERM', at: 0 });
  assert.deepEqual(only(effects, 'spawn'), []);
  assert.equal(exitOf(effects).code, 0);
});
