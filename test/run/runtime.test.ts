import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect } from '../../init/lifecycle/effect.ts';
import { createRuntime, type Runtime } from '../../init/runtime.ts';
import { bundleOf } from '../lifecycle/play.ts';

const BUNDLE = bundleOf({ daemons: { a: { command: 'a' } } });

test('a fault while an effect is carried out ends the bundle in order, with code 70', () => {
  const effects: Effect[] = [];
  const runtime = createRuntime({
    bundle: BUNDLE,
    seed: 1,
    perform(effect) {
      effects.push(effect);
      if (effect.type === 'spawn') throw new Error('out of luck');
      if (effect.type !== 'kill') return;
      const { daemon, incarnation } = effect;
      runtime.send({
        type: 'exited',
        daemon,
        incarnation,
        exit: { code: 0 },
        remains: false,
        outOfMemory: false,
        lastLines: [],
      });
    },
  });
  runtime.send({ type: 'begin' });
  const end = effects.at(-1);
  assert.deepEqual(end?.type === 'exit' && [end.code, end.why], [70, 'internal error: cannot spawn: out of luck']);
});

test('an event sent while effects are carried out waits for its turn', () => {
  const order: string[] = [];
  const runtime: Runtime = createRuntime({
    bundle: BUNDLE,
    seed: 1,
    perform(effect) {
      order.push(effect.type === 'changed' ? `${effect.from} → ${effect.to}` : effect.type);
      if (effect.type === 'spawn')
        runtime.send({
          type: 'exited',
          daemon: 'a',
          incarnation: 1,
          exit: { code: 0 },
          remains: false,
          outOfMemory: false,
          lastLines: [],
        });
    },
  });
  runtime.send({ type: 'begin' });
  assert.deepEqual(order, ['pending → starting', 'spawn', 'starting → completed', 'ending', 'kill-everything', 'exit']);
});

test('deadlines become ticks', async () => {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const runtime = createRuntime({
    bundle: bundleOf({ daemons: { a: { command: 'a', ready: { after: '5ms' } } } }),
    seed: 1,
    perform: (effect) => {
      if (effect.type === 'changed' && effect.ready) resolve();
    },
  });
  runtime.send({ type: 'begin' });
  runtime.send({ type: 'spawned', daemon: 'a', incarnation: 1 });
  await ready;
});
