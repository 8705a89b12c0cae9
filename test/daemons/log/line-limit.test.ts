import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createLineLimit, MOST_LINES } from '../../../daemons/log/line-limit.ts';

/** A limit with a clock of its own, and what it told. */
function limitAt() {
  const told: [string, number][] = [];
  let now = 0;
  const limit = createLineLimit({ tell: (event, leftOut) => void told.push([event, leftOut]), clock: () => now });
  const write = (event: string, bytes: number, times: number): number => {
    let written = 0;
    for (let i = 0; i < times; i += 1) {
      if (!limit.admits('warn', event)) continue;
      written += 1;
      limit.wrote(event, bytes);
    }
    return written;
  };
  return {
    told,
    write,
    limit,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

it('a minute later the same event is written again, and what was left out is told once', () => {
  const { told, write, limit, pass } = limitAt();
  assert.equal(write('a', 100, MOST_LINES.warn + 7), MOST_LINES.warn);
  pass(59_999);
  assert.equal(write('a', 100, 1), 0);
  assert.deepEqual(told, []);
  pass(1);
  assert.equal(write('a', 100, 5), 5);
  assert.deepEqual(told, [['a', 8]]);
  limit.close();
  assert.deepEqual(told, [['a', 8]]);
});

it('one event does not use up the lines of another', () => {
  const { write, limit } = limitAt();
  write('a', 100, MOST_LINES.warn + 1);
  assert.equal(write('b', 100, 10), 10);
  limit.close();
});

it('a line of several kilobytes counts as several', () => {
  const { write, limit } = limitAt();
  assert.equal(write('a', 10 * 1024, MOST_LINES.warn), MOST_LINES.warn / 10);
  limit.close();
});
