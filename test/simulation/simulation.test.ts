import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from './run.ts';

const SEEDS = 3_000;

test('every rule of the design holds after each step of each seed', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { failure } = simulate(seed);
    if (failure !== undefined) {
      assert.fail(`seed ${seed}: ${failure.message}; replay: npm run simulate -- --seed ${seed} --trace`);
    }
  }
});

test('the same seed gives the same run', () => {
  for (const seed of [1, 2, 3, 500, 4_000_000_000]) {
    assert.deepEqual(simulate(seed, true), simulate(seed, true));
  }
});

test('the seeds between them see every event, every effect and every state', () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 400; seed++) {
    for (const { event, effects } of simulate(seed, true).trace) {
      seen.add(event.type);
      for (const effect of effects) {
        seen.add(effect.type);
        if (effect.type === 'spawn' && effect.fallback) seen.add('spawn of a fallback');
        if (effect.type === 'changed') seen.add(`is ${effect.to}`);
        if ('cause' in effect && effect.cause !== undefined) seen.add(`for ${effect.cause.kind}`);
      }
    }
  }
  const wanted = [
    ...['begin', 'tick', 'spawned', 'spawn-failed', 'exited', 'gone', 'ready', 'probed', 'hooks-ended', 'command'],
    ...['reload', 'signal', 'fault', 'spawn', 'kill', 'probe', 'run-hooks', 'changed', 'incident', 'answer'],
    ...['spawn of a fallback', 'read-bundle', 'ending', 'kill-everything', 'exit'],
    ...['pending', 'starting', 'running', 'stopping', 'stopped', 'backoff', 'completed', 'failed'].map(
      (status) => `is ${status}`,
    ),
    ...['exit-code', 'signal', 'out-of-memory', 'not-found', 'missing-library', 'glibc-mismatch'].map(
      (cause) => `for ${cause}`,
    ),
    ...['address-in-use', 'probe-failed', 'start-timeout', 'dependency-failed', 'killed-after-grace'].map(
      (cause) => `for ${cause}`,
    ),
  ];
  assert.deepEqual(
    wanted.filter((item) => !seen.has(item)),
    [],
  );
});
