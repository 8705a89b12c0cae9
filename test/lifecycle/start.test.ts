import assert from 'node:assert/strict';
import { test } from 'node:test';
import { only, play, starts } from './play.ts';

test('all daemons whose dependencies hold start at once', () => {
  const run = play({ daemons: { a: { command: 'a' }, b: { command: 'b' }, c: { command: 'c', depends_on: ['a'] } } });
  assert.deepEqual([run.status('a'), run.status('b'), run.status('c')], ['starting', 'starting', 'pending']);
});

test('service_started holds once the program runs', () => {
  const run = play({ daemons: { a: { command: 'a' }, b: { command: 'b', depends_on: ['a'] } } });
  assert.equal(run.status('b'), 'pending');
  run.spawned('a');
  assert.equal(run.status('b'), 'starting');
});

test('service_healthy holds once the dependency is ready', () => {
  const run = play({
    daemons: { a: { command: 'a' }, b: { command: 'b', depends_on: { a: { condition: 'service_healthy' } } } },
  });
  run.spawned('a');
  run.wait(999);
  assert.equal(run.status('b'), 'pending');
  run.wait(1);
  assert.equal(run.status('b'), 'starting');
});

test('service_completed_successfully holds once the dependency has exited well', () => {
  const run = play({
    daemons: {
      a: { command: 'a' },
      b: { command: 'b', depends_on: { a: { condition: 'service_completed_successfully' } } },
    },
  });
  run.spawned('a');
  assert.deepEqual(starts(run.exited('a', { code: 0 })), ['b']);
  assert.equal(run.status('a'), 'completed');
});

test('a dependency that fails for good fails its dependents, and theirs, with that cause', () => {
  const run = play({
    daemons: {
      a: { command: 'a' },
      b: { command: 'b', depends_on: { a: { condition: 'service_completed_successfully' } } },
      c: { command: 'c', depends_on: ['b'] },
      other: { command: 'other' },
    },
  });
  run.spawned('a', 'other');
  run.exited('a', { code: 3 });
  for (const name of ['b', 'c']) {
    assert.equal(run.status(name), 'failed');
    assert.equal(run.daemon(name).cause?.kind, 'dependency-failed');
  }
});

test('a dependency that completes can never be ready, so it fails those that wait for its health', () => {
  const run = play({
    daemons: {
      a: { command: 'a' },
      b: { command: 'b', depends_on: { a: { condition: 'service_healthy' } } },
      other: { command: 'other' },
    },
  });
  run.spawned('a', 'other');
  run.exited('a', { code: 0 });
  assert.equal(run.daemon('b').cause?.kind, 'dependency-failed');
});

test('a dependency that is not required does not fail its dependent', () => {
  const run = play({
    daemons: {
      a: { command: 'a' },
      b: { command: 'b', depends_on: { a: { condition: 'service_completed_successfully', required: false } } },
    },
  });
  run.spawned('a');
  assert.deepEqual(starts(run.exited('a', { code: 1 })), ['b']);
});

test('without any probe a daemon is ready when it has run for a second', () => {
  const run = play({ daemons: { a: { command: 'a' } } });
  run.spawned('a');
  run.wait(999);
  assert.equal(run.status('a'), 'starting');
  run.wait(1);
  assert.equal(run.status('a'), 'running');
});

test('a daemon that is to say itself that it is ready is ready when it says so', () => {
  const run = play({ daemons: { a: { command: 'a', ready: { notify_fd: 3 } } } });
  run.spawned('a');
  run.wait(60_000);
  assert.equal(run.status('a'), 'starting');
  run.ready('a');
  assert.equal(run.status('a'), 'running');
});

test('an endless start is a failure after start_timeout', () => {
  const run = play({ daemons: { a: { command: 'a', ready: { sd_notify: true }, start_timeout: '5s' } } });
  run.spawned('a');
  const effects = run.wait(5_000);
  assert.equal(run.status('a'), 'stopping');
  assert.equal(only(effects, 'incident')[0]?.cause.kind, 'start-timeout');
  run.exited('a', { signal: 'SIGTERM' });
  assert.equal(run.daemon('a').cause?.kind, 'start-timeout');
});

const CHECKED = {
  command: 'a',
  restart: 'always',
  healthcheck: { tcp: { port: 1 }, interval: '10s', start_interval: '100ms', start_period: '1s', retries: 3 },
} as const;

test('the first passing probe makes a daemon ready', () => {
  const run = play({ daemons: { a: CHECKED } });
  run.spawned('a');
  assert.equal(only(run.wait(100), 'probe').length, 1);
  run.probed('a', true);
  assert.equal(run.status('a'), 'running');
});

test('failures within the start period do not count', () => {
  const run = play({ daemons: { a: CHECKED } });
  run.spawned('a');
  for (let i = 0; i < 9; i++) {
    run.wait(100);
    run.probed('a', false);
  }
  assert.equal(run.status('a'), 'starting');
  assert.equal(run.daemon('a').cause, undefined);
});

test('retries failures in a row make a ready daemon unhealthy, and it is restarted with cause probe-failed', () => {
  const run = play({ daemons: { a: CHECKED } });
  run.spawned('a');
  run.wait(100);
  run.probed('a', true);
  for (const passed of [false, false, true, false, false]) {
    run.wait(10_000);
    run.probed('a', passed);
  }
  assert.equal(run.status('a'), 'running');
  run.wait(10_000);
  run.probed('a', false);
  assert.equal(run.status('a'), 'stopping');
  assert.deepEqual(starts(run.exited('a', { code: 0 })), ['a']);
  assert.equal(run.daemon('a').cause?.kind, 'probe-failed');
  assert.equal(run.daemon('a').restarts, 1);
});

test('with on_unhealthy: ignore an unhealthy daemon is not ready, keeps running, and is ready again when its probe passes', () => {
  const run = play({ daemons: { a: { ...CHECKED, on_unhealthy: 'ignore' } } });
  run.spawned('a');
  run.wait(100);
  run.probed('a', true);
  const effects = [1, 2, 3, 4].flatMap(() => [...run.wait(10_000), ...run.probed('a', false)]);
  assert.equal(only(effects, 'incident').length, 1);
  assert.deepEqual(run.daemon('a').state.status === 'running' && run.daemon('a').state, {
    ...run.daemon('a').state,
    ready: false,
  });
  run.wait(10_000);
  const again = only(run.probed('a', true), 'changed')[0];
  assert.deepEqual([again?.from, again?.to, again?.ready], ['running', 'running', true]);
});

test('an interval of zero is the default one, as in Docker', () => {
  const run = play({
    daemons: { a: { ...CHECKED, healthcheck: { tcp: { port: 1 }, interval: '0s', start_interval: '0s' } } },
  });
  run.spawned('a');
  assert.equal(only(run.wait(4_999), 'probe').length, 0);
  assert.equal(only(run.wait(1), 'probe').length, 1);
});

test('a probe that is under way is not asked for again', () => {
  const run = play({ daemons: { a: CHECKED } });
  run.spawned('a');
  assert.equal(only(run.wait(60_000), 'probe').length, 1);
});

test('a dependency is looked at again before an automatic restart', () => {
  const run = play({
    daemons: {
      a: { command: 'a', restart: 'always' },
      b: { command: 'b', restart: 'always', depends_on: { a: { condition: 'service_healthy' } } },
    },
  });
  run.spawned('a');
  run.wait(1_000);
  run.spawned('b');
  run.exited('a', { code: 1 });
  assert.deepEqual(starts(run.exited('b', { code: 1 })), []);
  run.spawned('a');
  assert.deepEqual(starts(run.wait(1_000)), ['b']);
});
