import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { restartDelay } from '../../init/lifecycle/backoff.ts';
import { kills, only, play, starts } from './play.ts';

const KEEP = { command: 'keep' };

test('restart "no" completes after success and fails after failure', () => {
  const run = play({ daemons: { good: { command: 'a' }, bad: { command: 'b' }, KEEP } });
  run.spawned('good', 'bad', 'KEEP');
  run.exited('good', { code: 0 });
  run.exited('bad', { code: 1 });
  assert.deepEqual([run.status('good'), run.status('bad')], ['completed', 'failed']);
});

test('restart "always" starts again after success too', () => {
  const run = play({ daemons: { a: { command: 'a', restart: 'always' } } });
  run.spawned('a');
  assert.deepEqual(starts(run.exited('a', { code: 0 })), ['a']);
});

test('restart "on-failure" completes after success and starts again after failure', () => {
  const run = play({
    daemons: { a: { command: 'a', restart: 'on-failure' }, b: { command: 'b', restart: 'on-failure' } },
  });
  run.spawned('a', 'b');
  run.exited('a', { code: 0 });
  assert.equal(run.status('a'), 'completed');
  assert.deepEqual(starts(run.exited('b', { signal: 'SIGSEGV' })), ['b']);
});

test('success_exit_codes are successes', () => {
  const run = play({ daemons: { a: { command: 'a', success_exit_codes: [0, 7] }, KEEP } });
  run.spawned('a', 'KEEP');
  run.exited('a', { code: 7 });
  assert.equal(run.status('a'), 'completed');
});

test('the first restart is at once, the next ones wait initial × factor^n', () => {
  const backoff = { initial: '1s', factor: 2, max: '1h', max_attempts: 4 };
  const run = play({ daemons: { a: { command: 'a', restart: 'always', backoff }, KEEP } });
  run.spawned('a', 'KEEP');
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    run.exited('a', { code: 1 });
    const { state } = run.daemon('a');
    waits.push(state.status === 'backoff' ? state.retryAt - run.now : 0);
    run.wait(waits.at(-1) ?? 0);
    run.spawned('a');
  }
  assert.equal(waits[0], 0);
  for (const [i, base] of [1_000, 2_000, 4_000].entries()) {
    const wait = waits[i + 1] ?? 0;
    assert.ok(wait >= base * 0.9 && wait <= base * 1.1, `${wait} is not ${base} ± 10 %`);
  }
});

test('after max_attempts restarts in a row it is failed: n + 1 starts in all', () => {
  const run = play({ daemons: { a: { command: 'a', restart: 'always', backoff: { max_attempts: 2 } }, KEEP } });
  run.spawned('KEEP');
  for (let i = 0; i < 3; i++) {
    run.spawned('a');
    run.exited('a', { code: 1 });
    run.wait(60_000);
  }
  assert.equal(run.status('a'), 'failed');
  assert.equal(run.daemon('a').incarnation, 3);
});

test('on-failure:n bounds the restarts by n, whatever backoff says', () => {
  const run = play({ daemons: { a: { command: 'a', restart: 'on-failure:1' }, KEEP } });
  run.spawned('a', 'KEEP');
  run.exited('a', { code: 1 });
  run.spawned('a');
  run.exited('a', { code: 1 });
  assert.equal(run.status('a'), 'failed');
});

test('the count of restarts in a row starts anew once the daemon has been ready for reset_after', () => {
  const backoff = { max_attempts: 1, reset_after: '60s' };
  const run = play({ daemons: { a: { command: 'a', restart: 'always', backoff }, KEEP } });
  run.spawned('a', 'KEEP');
  run.exited('a', { code: 1 });
  run.spawned('a');
  run.wait(61_000);
  assert.deepEqual(starts(run.exited('a', { code: 1 })), ['a']);
  run.spawned('a');
  run.wait(60_999);
  run.exited('a', { code: 1 });
  assert.equal(run.status('a'), 'failed');
});

test('causes that a retry cannot mend fail at once', () => {
  const run = play({
    daemons: {
      missing: { command: 'a', restart: 'always' },
      glibc: { command: 'b', restart: 'always' },
      code: { command: 'c', restart: 'always', permanent_exit_codes: [78] },
      KEEP,
    },
  });
  run.spawned('glibc', 'code', 'KEEP');
  run.send({
    type: 'spawn-failed',
    daemon: 'missing',
    incarnation: 1,
    error: { errno: 'ENOENT', message: 'a: not found' },
  });
  const lastLines = ["a: /lib/libc.so.6: version 'GLIBC_2.39' not found (required by a)"];
  run.exited('glibc', { code: 1 }, { lastLines });
  run.exited('code', { code: 78 });
  assert.deepEqual(
    ['missing', 'glibc', 'code'].map((name) => [run.status(name), run.daemon(name).cause?.kind]),
    [
      ['failed', 'not-found'],
      ['failed', 'glibc-mismatch'],
      ['failed', 'exit-code'],
    ],
  );
  assert.match(run.daemon('glibc').cause?.hint ?? '', /static build/);
});

test('a lack of processes or memory at the start is tried again', () => {
  const run = play({ daemons: { a: { command: 'a', restart: 'always' }, KEEP } });
  run.send({
    type: 'spawn-failed',
    daemon: 'a',
    incarnation: 1,
    error: { errno: 'EAGAIN', message: 'no more processes' },
  });
  assert.equal(run.daemon('a').incarnation, 2);
});

test('the next start waits until everything of the old one is gone', () => {
  const run = play({ daemons: { a: { command: 'a', restart: 'always' } } });
  run.spawned('a');
  const effects = run.exited('a', { code: 1 }, { remains: true });
  assert.deepEqual(starts(effects), []);
  assert.deepEqual(kills(effects), ['a:SIGTERM']);
  assert.deepEqual(starts(run.gone('a')), ['a']);
});

test('what a dead daemon left behind is killed after the grace, and that is an incident', () => {
  const run = play({ daemons: { a: { command: 'a', restart: 'always', stop_grace_period: '3s' } } });
  run.spawned('a');
  run.exited('a', { code: 1 }, { remains: true });
  const effects = run.wait(3_000);
  assert.deepEqual(kills(effects), ['a:SIGKILL']);
  assert.equal(only(effects, 'incident')[0]?.cause.kind, 'killed-after-grace');
});

test('an event about an earlier incarnation is out of date', () => {
  const run = play({ daemons: { a: { command: 'a', restart: 'always' } } });
  run.spawned('a');
  run.exited('a', { code: 1 });
  const before = run.state();
  run.send({ type: 'ready', daemon: 'a', incarnation: 1 });
  assert.deepEqual(run.state(), before);
});

test('a delay never leaves its bounds, whatever the numbers', () => {
  const backoff = fc.record({
    initial: fc.nat(100_000),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    max: fc.nat(1_000_000),
    at_once: fc.boolean(),
    jitter: fc.double({ min: 0, max: 0.5, noNaN: true }),
    unit: fc.constantFrom(0, 100, 1_000),
    reset_after: fc.nat(),
    max_attempts: fc.constant('unlimited' as const),
  });
  fc.assert(
    fc.property(
      backoff,
      fc.nat(2_000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (b, attempts, random) => {
        const delay = restartDelay(b, attempts, random);
        const waited = b.at_once ? attempts - 1 : attempts;
        const base = waited < 0 || b.initial === 0 ? 0 : b.initial * b.factor ** waited;
        assert.ok(delay <= b.max && delay <= base * (1 + b.jitter) + 0.5);
        assert.ok(delay > Math.min(b.max, base * (1 - b.jitter)) - 0.5 - b.unit || b.unit === 0);
        assert.ok(b.unit > 0 || delay >= Math.min(b.max, base * (1 - b.jitter)) - 0.5);
        assert.equal(b.unit === 0 ? 0 : delay % b.unit, 0);
      },
    ),
  );
});

test('the watchdog figures of the original: 10, 15, 22, 33 and 50 seconds, then it is failed', () => {
  const backoff = {
    at_once: false,
    initial: '10s',
    factor: 1.5,
    max: '1m',
    jitter: 0,
    unit: '1s',
    reset_after: '0s',
    max_attempts: 5,
  };
  const run = play({ daemons: { a: { command: 'a', restart: 'always', backoff }, KEEP } });
  run.spawned('KEEP');
  const waits: number[] = [];
  for (run.spawned('a'); run.status('a') !== 'failed'; run.spawned('a')) {
    run.exited('a', { code: 1 });
    const { state } = run.daemon('a');
    if (state.status === 'backoff') waits.push(state.retryAt - run.now);
    run.wait(60_000);
    if (waits.length > 5) break;
  }
  assert.deepEqual(waits, [10_000, 15_000, 22_000, 33_000, 50_000]);
  assert.deepEqual([run.status('a'), run.daemon('a').incarnation], ['failed', 6]);
});

test('the watchdog figures of the original: probed each 30 seconds, and once ready the count starts anew', () => {
  const backoff = { at_once: false, initial: '10s', jitter: 0, unit: '1s', reset_after: '0s' };
  const healthcheck = { tcp: { port: 80 }, interval: '30s', start_interval: '30s', retries: 1 };
  const run = play({ daemons: { a: { command: 'a', restart: 'always', backoff, healthcheck }, KEEP } });
  run.spawned('a', 'KEEP');
  const probes: number[] = [];
  for (let i = 0; i < 3; i++) {
    const asked = only(run.wait(30_000), 'probe');
    assert.equal(asked.length, 1);
    probes.push(run.now);
    run.probed('a', true);
  }
  assert.deepEqual(probes, [30_000, 60_000, 90_000]);
  run.exited('a', { code: 1 });
  const { state } = run.daemon('a');
  assert.equal(state.status === 'backoff' && state.retryAt - run.now, 10_000);
});
