import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAnswerReader } from '../../bench/agent/answer.ts';

const answer = (body: string) => Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

test('answers are counted wherever they are cut', () => {
  const bytes = Buffer.concat([answer('one'), answer(''), answer('three')]);
  for (let size = 1; size <= bytes.length; size += 1) {
    let count = 0;
    const read = createAnswerReader(() => {
      count += 1;
    });
    for (let at = 0; at < bytes.length; at += size) read(bytes.subarray(at, at + size));
    assert.equal(count, 3, `in pieces of ${size}`);
  }
});

test('an answer that is not a 200 ends the measurement and is told', () => {
  const read = createAnswerReader(() => {});
  assert.throws(() => read(Buffer.from('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')), /403 Forbidden.*no$/);
});
