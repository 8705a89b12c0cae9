import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFramer } from '../../init/logs/framing.ts';
import { createInbox } from '../../init/logs/inbox.ts';
import { createMask, type Mask } from '../../init/logs/mask.ts';

const NO_MASK = createMask([]);

/** Cuts `input` at these places and frames the chunks; returns all that came out. */
function frame(input: Buffer, cuts: readonly number[], maxLine: number, mask: Mask = NO_MASK): Buffer {
  const inbox = createInbox();
  const framer = createFramer(maxLine, inbox, () => mask);
  const borders = [0, ...cuts.map((cut) => cut % (input.length + 1)).sort((a, b) => a - b), input.length];
  const out: Buffer[] = [];
  for (const [index, border] of borders.entries()) {
    const chunk = input.subarray(borders[index - 1] ?? 0, border);
    if (chunk.length === 0) continue;
    chunk.copy(inbox.area);
    const lines = framer.push(chunk.length);
    if (lines !== undefined) {
      assert.equal(lines.at(-1), 10, 'a block ends with a newline');
      out.push(mask.apply(Buffer.from(lines)));
    }
  }
  const last = framer.end();
  if (last !== undefined) out.push(mask.apply(last));
  return Buffer.concat(out);
}

const cuts = fc.array(fc.nat(), { maxLength: 40 });
const lineByte = fc.oneof(
  fc.constantFrom(10, 13, 0, 65, 0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xf0, 0x9f),
  fc.nat({ max: 255 }),
);
const bytes = fc.array(lineByte, { maxLength: 600 }).map((list) => Buffer.from(list));
const unicode = fc
  .array(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.constant('\n')), { maxLength: 40 })
  .map((parts) => Buffer.from(parts.join('')));

test('whatever the chunks, the lines together are the input', () => {
  fc.assert(
    fc.property(bytes, cuts, (input, places) => {
      const expected = input.length > 0 && input.at(-1) !== 10 ? Buffer.concat([input, Buffer.from('\n')]) : input;
      assert.deepEqual(frame(input, places, 1000), expected);
    }),
  );
});

test('where the chunks end makes no difference to long lines either', () => {
  fc.assert(
    fc.property(bytes, cuts, (input, places) => {
      assert.deepEqual(frame(input, places, 16), frame(input, [], 16));
    }),
  );
});

test('a line longer than max_line is split: no piece is longer, and no byte is lost', () => {
  fc.assert(
    fc.property(bytes, cuts, fc.integer({ min: 4, max: 64 }), (input, places, maxLine) => {
      const out = frame(input, places, maxLine);
      for (const line of out.toString('latin1').split('\n')) {
        assert.ok(line.length <= maxLine || (line.length === maxLine + 1 && line.endsWith('\r')));
      }
      const withoutNewlines = (buffer: Buffer) => buffer.toString('latin1').replaceAll('\n', '');
      assert.equal(withoutNewlines(out), withoutNewlines(input));
    }),
  );
});

test('a split never cuts a UTF-8 sequence', () => {
  fc.assert(
    fc.property(unicode, cuts, fc.integer({ min: 4, max: 64 }), (input, places, maxLine) => {
      for (const line of frame(input, places, maxLine).toString('latin1').split('\n')) {
        assert.ok(isUtf8(Buffer.from(line, 'latin1')));
      }
    }),
  );
});

test('a line of exactly max_line bytes stays whole, with and without a carriage return', () => {
  const line = 'x'.repeat(256);
  for (const input of [`${line}\n`, `${line}\r\n`, `${line}\n${line}\n`]) {
    for (const at of [1, 255, 256, 257, 258]) {
      assert.equal(frame(Buffer.from(input), [at], 256).toString(), input);
    }
  }
});

test('a last line without a newline is kept when the stream ends', () => {
  assert.equal(frame(Buffer.from('one\ntwo'), [5], 256).toString(), 'one\ntwo\n');
});

test('a line of a megabyte that comes byte by byte takes no more memory or time than it must', () => {
  const inbox = createInbox();
  const framer = createFramer(1_048_576, inbox, () => NO_MASK);
  inbox.area[0] = 120;
  for (let count = 0; count < 1_000_000; count += 1) assert.equal(framer.push(1), undefined);
  assert.equal(framer.end()?.length, 1_000_001);
});

const secrets = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'ä'), minLength: 6, maxLength: 12 }), {
  minLength: 1,
  maxLength: 4,
});

test('a secret is never printed, nor part of it, wherever chunks end and lines are split', () => {
  const plain = fc.string({ unit: fc.constantFrom('-', '.', '€'), maxLength: 30 });
  fc.assert(
    fc.property(
      secrets.chain((known) =>
        fc.tuple(
          fc.constant(known),
          fc.array(fc.oneof(plain, fc.constantFrom('\n', ...known)), { maxLength: 40 }).map((parts) => parts.join('')),
        ),
      ),
      cuts,
      fc.integer({ min: 4, max: 40 }),
      ([known, text], places, maxLine) => {
        const out = frame(Buffer.from(text), places, maxLine, createMask(known)).toString();
        assert.doesNotMatch(out, /[abä]/);
        const plainOf = (value: string) => value.replace(/[abä*\n]/g, '');
        assert.equal(plainOf(out), plainOf(text), 'all the rest is there');
      },
    ),
    { numRuns: 1000 },
  );
});
