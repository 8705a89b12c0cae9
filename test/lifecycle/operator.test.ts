import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleOf, kills, only, play, starts } from './play.ts';

const ALWAYS = { command: 'a', restart: 'always' };

test('a daemon that the operator stopped stays stopped', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  run.command('a', { do: 'stop' });
  run.exited('a', { signal: 'SIGTERM' });
  run.wait(1_000_000);
  assert.equal(run.status('a'), 'stopped');
  assert.equal(run.state().shutdown, undefined);
});

test('a stop during a wait between tries is final, and counts no more attempts', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  run.exited('a', { code: 1 });
  run.spawned('a');
  run.exited('a', { code: 1 });
  assert.equal(run.status('a'), 'backoff');
  run.command('a', { do: 'stop' });
  assert.deepEqual(starts(run.wait(1_000_000)), []);
  assert.equal(run.status('a'), 'stopped');
});

test('a stop overrules a restart that is under way, and a start overrules a stop', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  run.command('a', { do: 'restart' });
  run.command('a', { do: 'stop' });
  run.command('a', { do: 'start' });
  assert.deepEqual(starts(run.exited('a', { code: 0 })), ['a']);
});

test('restarts asked for one daemon coalesce', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  run.command('a', { do: 'restart' });
  run.command('a', { do: 'restart' });
  assert.deepEqual(starts(run.exited('a', { signal: 'SIGTERM' })), ['a']);
  run.spawned('a');
  run.wait(10_000);
  assert.equal(run.daemon('a').incarnation, 2);
});

test('an operator brings back what has failed, completed or been stopped, with its attempts at zero', () => {
  const run = play({ daemons: { a: { command: 'a' }, KEEP: ALWAYS } });
  run.spawned('a', 'KEEP');
  run.exited('a', { code: 1 });
  run.command('a', { do: 'start' });
  assert.equal(run.status('a'), 'starting');
  assert.equal(run.daemon('a').attempts, 0);
});

test('a signal goes to the first process only, and is refused where there is none', () => {
  const run = play({ daemons: { a: { command: 'a' }, KEEP: ALWAYS } });
  run.spawned('a', 'KEEP');
  const sent = run.send({ type: 'command', daemon: 'a', command: { do: 'signal', signal: 'SIGHUP' }, plane: 'cli' });
  assert.equal(only(sent, 'kill')[0]?.to, 'leader');
  run.exited('a', { code: 0 });
  assert.equal(run.command('a', { do: 'signal', signal: 'SIGHUP' }).accepted, false);
});

test('dependents with restart: true are restarted with their dependency, after it', () => {
  const run = play({
    daemons: {
      a: ALWAYS,
      b: { command: 'b', depends_on: { a: { condition: 'service_started', restart: true } } },
      c: { command: 'c', depends_on: ['a'] },
    },
  });
  run.spawned('a');
  run.spawned('b', 'c');
  run.command('a', { do: 'restart' });
  assert.deepEqual([run.status('a'), run.status('b'), run.status('c')], ['starting', 'stopping', 'starting']);
  assert.deepEqual(kills(run.exited('b', { signal: 'SIGTERM' })), ['a:SIGTERM']);
  run.exited('a', { signal: 'SIGTERM' });
  assert.deepEqual([run.status('a'), run.status('b')], ['starting', 'pending']);
});

test('commands are refused with a clear answer while the bundle ends', () => {
  const run = play({ daemons: { a: ALWAYS } });
  run.spawned('a');
  run.send({ type: 'signal', signal: 'SIGTERM' });
  const answer = run.command('a', { do: 'restart' });
  assert.equal(answer.accepted, false);
  assert.match(answer.text, /ending/);
});

test('pre_stop hooks run before the stop signal, within the grace', () => {
  const run = play({ daemons: { a: { command: 'a', stop_grace_period: '2s', pre_stop: [{ command: 'drain' }] } } });
  run.spawned('a');
  const effects = run.send({ type: 'command', daemon: 'a', command: { do: 'stop' }, plane: 'cli' });
  assert.equal(only(effects, 'run-hooks')[0]?.stage, 'pre_stop');
  assert.deepEqual(kills(effects), []);
  const after = run.send({ type: 'hooks-ended', daemon: 'a', incarnation: 1, stage: 'pre_stop' });
  assert.deepEqual(kills(after), ['a:SIGTERM']);
  assert.deepEqual(kills(run.wait(2_000)), ['a:SIGKILL']);
});

test('a signal to PID 1 does what the bundle says of it, and is ignored where it says nothing', () => {
  const run = play({
    signals: { SIGHUP: { signal: ['a'] }, SIGUSR1: { restart: ['b'] }, SIGUSR2: { reload: true } },
    daemons: { a: ALWAYS, b: ALWAYS },
  });
  run.spawned('a', 'b');
  assert.deepEqual(kills(run.send({ type: 'signal', signal: 'SIGHUP' })), ['a:SIGHUP']);
  assert.deepEqual(kills(run.send({ type: 'signal', signal: 'SIGUSR1' })), ['b:SIGTERM']);
  assert.equal(only(run.send({ type: 'signal', signal: 'SIGUSR2' }), 'read-bundle').length, 1);
  const ignored = run.send({ type: 'signal', signal: 'SIGWINCH' });
  assert.deepEqual(
    ignored.map((effect) => effect.type),
    ['answer'],
  );
});

test('a reload touches only what it changes, adds or removes', () => {
  const same = { command: 'same' };
  const run = play({ daemons: { same, old: { command: 'x' }, changed: { command: 'one' } } });
  run.spawned('same', 'old', 'changed');
  const bundle = bundleOf({ daemons: { same, changed: { command: 'two' }, fresh: { command: 'y' } } });
  const effects = run.send({ type: 'reload', bundle, plane: 'cli' });
  assert.deepEqual(kills(effects), ['old:SIGTERM', 'changed:SIGTERM']);
  const restarted = only(run.exited('changed', { signal: 'SIGTERM' }), 'spawn')[0];
  assert.deepEqual(restarted?.spec.command, ['two']);
  assert.deepEqual(starts(run.exited('old', { signal: 'SIGTERM' })), ['fresh']);
  assert.deepEqual([...run.state().daemons.keys()], ['same', 'changed', 'fresh']);
});

test('a daemon under a new name starts once the one under its old name has left the port', () => {
  const run = play({ daemons: { old: { command: 'x', essential: true }, KEEP: ALWAYS } });
  run.spawned('old', 'KEEP');
  const bundle = bundleOf({ daemons: { renamed: { command: 'x', essential: true }, KEEP: ALWAYS } });
  assert.deepEqual(starts(run.send({ type: 'reload', bundle, plane: 'cli' })), []);
  assert.deepEqual(starts(run.exited('KEEP', { code: 1 })), ['KEEP'], 'others do not wait');
  run.exited('old', { code: 0 }, { remains: true });
  assert.deepEqual(starts(run.gone('old')), ['renamed']);
});

test('a reload starts anew the daemons whose secrets come from elsewhere now, and no other', () => {
  const daemons = { web: { command: 'web', secrets: ['token'] }, db: { command: 'db', secrets: ['key'] } };
  const key = { file: 'key' };
  const run = play({ secrets: { token: { file: 'one' }, key }, daemons });
  run.spawned('web', 'db');
  const bundle = bundleOf({ secrets: { token: { file: 'two' }, key }, daemons });
  assert.deepEqual(kills(run.send({ type: 'reload', bundle, plane: 'cli' })), ['web:SIGTERM']);
  assert.deepEqual(starts(run.exited('web', { signal: 'SIGTERM' })), ['web']);
  assert.deepEqual(kills(run.send({ type: 'reload', bundle, plane: 'cli' })), []);
});

test('a reload leaves stopped what the operator stopped', () => {
  const run = play({ daemons: { a: ALWAYS, KEEP: ALWAYS } });
  run.spawned('a', 'KEEP');
  run.command('a', { do: 'stop' });
  run.exited('a', { signal: 'SIGTERM' });
  const bundle = bundleOf({ daemons: { a: { command: 'new', restart: 'always' }, KEEP: ALWAYS } });
  run.send({ type: 'reload', bundle, plane: 'cli' });
  assert.equal(run.status('a'), 'stopped');
  const started = run.send({ type: 'command', daemon: 'a', command: { do: 'start' }, plane: 'cli' });
  assert.deepEqual(only(started, 'spawn')[0]?.spec.command, ['new']);
});
