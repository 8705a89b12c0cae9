import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyLength, requestFramingFault, responseFramingFault } from '../../../daemons/http/framing.ts';

const request = (rawHeaders: string[], httpVersion = '1.1'): string | undefined =>
  requestFramingFault({ httpVersion, rawHeaders });

test('a sound request has no fault', () => {
  assert.equal(request(['Host', 'a']), undefined);
  assert.equal(request(['Host', 'a', 'Content-Length', '0']), undefined);
  assert.equal(request(['host', 'a', 'transfer-encoding', 'Chunked', 'Connection', 'close, X-A']), undefined);
  assert.equal(request([], '1.0'), undefined);
});

test('a request that two servers could read differently has one', () => {
  const faults: readonly (readonly [string[], RegExp, string?])[] = [
    [['Host', 'a', 'Host', 'a'], /more than one Host/],
    [[], /no Host/],
    [['Host', 'a'], /HTTP\/2\.0 is not spoken/, '2.0'],
    [['Host', 'a', 'Content-Length', '1', 'content-length', '1'], /more than one Content-Length/],
    [['Host', 'a', 'Content-Length', '1, 1'], /not a number/],
    [['Host', 'a', 'Content-Length', '-1'], /not a number/],
    [['Host', 'a', 'Content-Length', ''], /not a number/],
    [['Host', 'a', 'Content-Length', '9'.repeat(16)], /not a number/],
    [['Host', 'a', 'Content-Length', '1', 'Transfer-Encoding', 'chunked'], /both/],
    [['Host', 'a', 'Transfer-Encoding', 'gzip, chunked'], /other than chunked/],
    [['Host', 'a', 'Transfer-Encoding', ' chunked'], /other than chunked/],
    [['Host', 'a', 'Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'], /other than chunked/],
    [['Host', 'a', 'Transfer-Encoding', 'chunked'], /in HTTP\/1\.0/, '1.0'],
    [['Host', 'a', 'Connection', 'Host'], /Connection names host/],
    [['Host', 'a', 'connection', 'close,Cookie'], /Connection names cookie/],
  ];
  for (const [rawHeaders, says, version] of faults) assert.match(request(rawHeaders, version) ?? '', says);
});

test('an answer is held to the same framing, and needs no Host', () => {
  assert.equal(responseFramingFault({ httpVersion: '1.1', rawHeaders: ['Content-Length', '1'] }), undefined);
  assert.match(
    responseFramingFault({ httpVersion: '1.1', rawHeaders: ['Content-Length', '1', 'Transfer-Encoding', 'chunked'] }) ??
      '',
    /both/,
  );
});

test('the length of a body is told by its headers', () => {
  assert.equal(bodyLength(['Content-Length', '42']), 42);
  assert.equal(bodyLength(['Transfer-Encoding', 'chunked']), 'chunked');
  assert.equal(bodyLength(['Host', 'a']), undefined);
});
