import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration } from '../../config/duration.ts';

test('a duration that is written reads back as the same milliseconds', () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (ms) => {
      assert.equal(parseDuration(formatDuration(ms)), ms);
    }),
  );
});

test('every unit of the Compose Specification is known, alone and one after another', () => {
  const known: [string, number][] = [
    ['0', 0],
    ['0s', 0],
    ['1500us', 2],
    ['250ms', 250],
    ['1.5s', 1500],
    ['1m30s', 90_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['1w2d', 777_600_000],
  ];
  for (const [text, ms] of known) assert.equal(parseDuration(text), ms, text);
});

test('what has no unit, an unknown unit, a sign or a gap is no duration', () => {
  for (const text of ['', '10', '-1s', '1 s', '10 sec', 's', '1.s', '1s!', `${'9'.repeat(400)}s`]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test('no text makes the reader of durations throw', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseDuration(text);
      assert.ok(ms === undefined || Number.isSafeInteger(ms));
    }),
  );
});
