import assert from 'node:assert/strict';
import { test } from 'node:test';
import { only, type Play, play, starts } from './play.ts';

const KEEP = { command: 'keep' };
const GLIBC =
  "/usr/local/bin/status: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.39' not found (required by /usr/local/bin/status)";
const MISMATCH = { lastLines: [GLIBC] };

function begin(more: object = {}): Play {
  const a = { command: 'app', fallback_command: 'app-static', restart: 'always', ...more };
  const run = play({ daemons: { a, KEEP } });
  run.spawned('a', 'KEEP');
  return run;
}

test('without a fallback a newer C library fails the daemon at once, with what to do', () => {
  const run = play({ daemons: { a: { command: 'app', restart: 'always' }, KEEP } });
  run.spawned('a', 'KEEP');
  const effects = run.exited('a', { code: 1 }, MISMATCH);
  assert.deepEqual([run.status('a'), starts(effects)], ['failed', []]);
  assert.equal(run.daemon('a').cause?.kind, 'glibc-mismatch');
  assert.match(run.daemon('a').cause?.hint ?? '', /use a static build/);
});

for (const [what, end] of [
  ['a newer C library', (run: Play) => run.exited('a', { code: 1 }, MISMATCH)],
  [
    'a missing library',
    (run: Play) =>
      run.exited('a', { code: 127 }, { lastLines: ['app: error while loading shared libraries: libx.so.1: no'] }),
  ],
  ...(['ENOENT', 'EACCES', 'ENOEXEC'] as const).map(
    (errno) =>
      [
        errno,
        (run: Play) =>
          run.send({
            type: 'spawn-failed',
            daemon: 'a',
            incarnation: run.daemon('a').incarnation,
            error: { errno, message: errno },
          }),
      ] as const,
  ),
] as const) {
  test(`the fallback starts at once after ${what}, which stays the cause and is an incident`, () => {
    const run = begin();
    const effects = end(run);
    assert.deepEqual(
      only(effects, 'spawn').map(({ daemon, fallback }) => [daemon, fallback]),
      [['a', true]],
    );
    assert.equal(only(effects, 'incident').length, 1);
    run.spawned('a');
    run.wait(1_000);
    assert.deepEqual([run.status('a'), run.daemon('a').cause?.kind !== undefined], ['running', true]);
  });
}

test('it is tried once: where it cannot run either, the daemon is failed', () => {
  const run = begin();
  run.exited('a', { code: 1 }, MISMATCH);
  run.spawned('a');
  const effects = run.exited('a', { code: 1 }, MISMATCH);
  assert.deepEqual([run.status('a'), starts(effects), run.daemon('a').incarnation], ['failed', [], 2]);
  assert.match(only(effects, 'changed').at(-1)?.why ?? '', /its fallback_command cannot run either: glibc-mismatch/);
});

test('it is tried with restart "no" and with max_attempts 0 too, and counts as no restart', () => {
  for (const more of [{ restart: 'no' }, { backoff: { max_attempts: 0 } }]) {
    const run = begin(more);
    assert.deepEqual(starts(run.exited('a', { code: 1 }, MISMATCH)), ['a']);
    assert.deepEqual([run.daemon('a').attempts, run.daemon('a').restarts], [0, 0]);
  }
});

test('a fallback that crashes is restarted by the rules, and stays the fallback', () => {
  const run = begin();
  run.exited('a', { code: 1 }, MISMATCH);
  run.spawned('a');
  run.wait(1_000);
  const [spawn] = only(run.exited('a', { code: 3 }), 'spawn');
  assert.deepEqual([spawn?.fallback, run.daemon('a').attempts], [true, 1]);
});

test('a crash, a permanent exit code and what an app prints once it was ready call no fallback', () => {
  for (const code of [1, 78]) {
    const run = begin({ permanent_exit_codes: [78] });
    for (const { fallback } of only(run.exited('a', { code }), 'spawn')) assert.equal(fallback, false);
    assert.equal(run.daemon('a').fallback, false);
  }
  const ready = begin();
  ready.wait(1_000);
  ready.exited('a', { code: 1 }, MISMATCH);
  assert.equal(ready.daemon('a').fallback, false);
});

test('an operator who starts or restarts it, and a change in the bundle file, try the command again', () => {
  const restarted = begin();
  restarted.exited('a', { code: 1 }, MISMATCH);
  restarted.spawned('a');
  restarted.command('a', { do: 'restart' });
  assert.equal(only(restarted.exited('a', { signal: 'SIGTERM' }), 'spawn')[0]?.fallback, false);

  const started = begin();
  started.exited('a', { code: 1 }, MISMATCH);
  started.spawned('a');
  started.exited('a', { code: 1 }, MISMATCH);
  const effects = started.send({ type: 'command', daemon: 'a', command: { do: 'start' }, plane: 'cli' });
  assert.equal(only(effects, 'spawn')[0]?.fallback, false);
});

test('a stop that overtakes the end of the command starts nothing', () => {
  const run = begin();
  run.command('a', { do: 'stop' });
  assert.deepEqual(starts(run.exited('a', { code: 1 }, MISMATCH)), []);
  assert.equal(run.status('a'), 'stopped');
});
