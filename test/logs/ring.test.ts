import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Stream } from '../../init/logs/logs.ts';
import { createRing } from '../../init/logs/ring.ts';

const block = fc.record({
  stream: fc.constantFrom<Stream>('stdout', 'stderr'),
  lines: fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 40 }), { minLength: 1, maxLength: 20 }),
});

test('a ring holds the newest lines, in order, with their stream and time, in its number of bytes', () => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 60 }), fc.integer({ min: 0, max: 3000 }), (pushed, limit) => {
      const ring = createRing(limit);
      const all: string[] = [];
      for (const [order, { stream, lines }] of pushed.entries()) {
        ring.push(order, order * 10, stream, Buffer.from(`${lines.join('\n')}\n`));
        all.push(...lines.map((line) => `${order} ${order * 10} ${stream} ${line}`));
      }
      const blocks = ring.blocks();
      const kept = blocks.flatMap(({ order, time, stream, bytes }) => {
        assert.equal(bytes.at(-1), 10);
        return bytes
          .toString()
          .split('\n')
          .slice(0, -1)
          .map((line) => `${order} ${time} ${stream} ${line}`);
      });
      assert.deepEqual(kept, kept.length === 0 ? [] : all.slice(-kept.length));
      const size = blocks.reduce((sum, { bytes }) => sum + bytes.length + 20, 0);
      assert.ok(size <= limit);
      const newest = all.at(-1)?.length ?? 0;
      assert.ok(kept.length > 0 || all.length === 0 || limit < newest + 20, 'the newest line is kept where it fits');
    }),
    { numRuns: 300 },
  );
});

test('a full ring gives up no more lines than a new one needs', () => {
  const ring = createRing(10_020);
  ring.push(1, 1, 'stdout', Buffer.from('123456789\n'.repeat(1000)));
  ring.push(2, 2, 'stdout', Buffer.from('new\n'));
  const [old, fresh] = ring.blocks();
  assert.equal(fresh?.bytes.toString(), 'new\n');
  assert.equal(old?.bytes.length, 9970);
});
