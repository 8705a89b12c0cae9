import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFormat } from '../../init/logs/format.ts';
import { countLines } from '../../init/logs/lines.ts';
import type { LogFormat } from '../../init/logs/logs.ts';
import { daemonPrefix } from '../../init/logs/prefix.ts';

const TIME = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

function show(format: LogFormat, block: Buffer, colour = false): { out: Buffer; lines: number } {
  const parts: string[] = [];
  const output = {
    append: (text: string, length: number) => void parts.push(text.slice(0, length)),
    send: () => {},
    queued: () => 0,
    isFull: () => false,
    closed: () => undefined,
    flush: () => Promise.resolve(true),
  };
  const prefix = daemonPrefix('egress', 0, { colour, width: 8 });
  const lines = createFormat({ format, daemon: 'egress', stream: 'stderr', prefix })(block, TIME, output);
  return { out: Buffer.from(parts.join(''), 'latin1'), lines };
}

const anyBlock = fc
  .array(fc.oneof(fc.constantFrom(10, 13, 34, 92, 0, 9, 27, 0xc3, 0xa4, 0xff), fc.nat({ max: 255 })), {
    maxLength: 400,
  })
  .map((list) => Buffer.from([...list, 10]));

test('text puts the padded name in front of each line', () => {
  assert.equal(show('text', Buffer.from('one\ntwo\n')).out.toString(), 'egress   | one\negress   | two\n');
});

test('text on a terminal colours the name and resets what an earlier line left', () => {
  assert.equal(show('text', Buffer.from('one\n'), true).out.toString(), '\x1b[0;36megress   |\x1b[0m one\n');
});

test('text and raw pass every byte', () => {
  fc.assert(
    fc.property(anyBlock, (block) => {
      assert.deepEqual(show('raw', block).out, block);
      const text = show('text', block).out.toString('latin1');
      assert.equal(text.replaceAll(/^egress {3}\| /gm, ''), block.toString('latin1'));
    }),
  );
});

test('json is one valid object a line, whatever the bytes', () => {
  fc.assert(
    fc.property(anyBlock, (block) => {
      const expected = block.toString('utf8').split('\n').slice(0, -1);
      const shown = show('json', block).out.toString('utf8').split('\n').slice(0, -1);
      assert.deepEqual(
        shown.map((line) => JSON.parse(line)),
        expected.map((line) => ({
          time: '2026-01-02T03:04:05.006Z',
          daemon: 'egress',
          stream: 'stderr',
          message: line.replace(/\r$/, ''),
        })),
      );
    }),
    { numRuns: 500 },
  );
});

test('each format counts the lines', () => {
  fc.assert(
    fc.property(anyBlock, fc.constantFrom<LogFormat>('text', 'json', 'raw'), (block, format) => {
      assert.equal(show(format, block).lines, countLines(block));
    }),
  );
});
