import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allValues, connectionOptions, endToEnd, firstValue, without } from '../../../daemons/http/headers.ts';

test('fields of one connection end here, with those that Connection names, however they are spelt', () => {
  const kept = ['Host', 'a', 'Content-Length', '3', 'Cookie', 'a=1', 'cookie', 'b=2', 'Trailer', 'X-T'];
  const dropped = [
    ...['connection', 'Keep-Alive, X-ONE', 'Connection', ' x-two ,, close', 'X-One', '1', 'x-TWO', '2'],
    ...[
      'Keep-Alive',
      'timeout=5',
      'Proxy-Connection',
      'keep-alive',
      'proxy-authorization',
      'Basic eA==',
      'Proxy-Authenticate',
      'x',
    ],
    ...[
      'TE',
      'trailers',
      'Transfer-Encoding',
      'chunked',
      'Upgrade',
      'h2c',
      'HTTP2-Settings',
      'AA',
      'Alt-Svc',
      'h3=":443"',
    ],
  ];
  assert.deepEqual(endToEnd([...dropped, ...kept]), kept);
  assert.deepEqual(endToEnd([...kept, ...dropped]), kept);
});

test('nothing else is touched: order, spelling and repetition stay', () => {
  const name = fc.stringMatching(/^[xX]-[a-zA-Z]{1,8}$/);
  const headers = fc.array(fc.tuple(name, fc.string()), { maxLength: 20 }).map((pairs) => pairs.flat());
  fc.assert(fc.property(headers, (raw) => assert.deepEqual(endToEnd(raw), raw)));
});

test('what Connection names never gets through', () => {
  const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z-]{0,8}$/);
  fc.assert(
    fc.property(fc.array(name, { minLength: 1 }), (names) => {
      const raw = ['Connection', names.join(', '), ...names.flatMap((each) => [each.toUpperCase(), 'v'])];
      assert.deepEqual(endToEnd(raw), []);
    }),
  );
});

test('values are found by name in any case', () => {
  const raw = ['X-A', '1', 'x-b', '2', 'x-a', '3'];
  assert.equal(firstValue(raw, 'x-a'), '1');
  assert.deepEqual(allValues(raw, 'x-a'), ['1', '3']);
  assert.equal(firstValue(raw, 'x-c'), undefined);
  assert.deepEqual(without(raw, new Set(['x-a'])), ['x-b', '2']);
  assert.deepEqual([...connectionOptions(['Connection', 'Close, X-A', 'connection', 'x-b'])], ['close', 'x-a', 'x-b']);
  assert.equal(connectionOptions(raw).size, 0);
});
