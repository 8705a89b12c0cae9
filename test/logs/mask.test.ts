import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMask } from '../../init/logs/mask.ts';

const masked = (text: string, ...secrets: string[]) => createMask(secrets).apply(Buffer.from(text)).toString();

test('every occurrence of every secret becomes stars', () => {
  assert.equal(masked('a=hunter22 b=swordfish c=hunter22\n', 'hunter22', 'swordfish'), 'a=*** b=*** c=***\n');
});

test('secrets that overlap or hold one another leave nothing behind', () => {
  assert.equal(masked('-abcdefghi-\n', 'abcdef', 'defghi'), '-***-\n');
  assert.equal(masked('-abcdefghi-\n', 'abcdef', 'abcdefghi'), '-***-\n');
  assert.equal(masked('-aaaaaaaa-\n', 'aaaaaa'), '-***-\n');
});

test('each line of a secret of several lines is masked by itself', () => {
  assert.equal(masked('first-line\nx second-line\n', 'first-line\nsecond-line\n'), '***\nx ***\n');
});

test('a secret is found in the form that JSON gives it', () => {
  assert.equal(masked(`${JSON.stringify({ key: 'pass"word\\1' })}\n`, 'pass"word\\1'), '{"key":"***"}\n');
});

test('a value of less than 6 bytes is not masked', () => {
  assert.equal(masked('a word is a word\n', 'word', ''), 'a word is a word\n');
});

test('lines without a secret are handed on as they are, not copied', () => {
  const lines = Buffer.from('nothing here\n');
  assert.equal(createMask(['hunter22']).apply(lines), lines);
  assert.equal(createMask([]).apply(lines), lines);
});
