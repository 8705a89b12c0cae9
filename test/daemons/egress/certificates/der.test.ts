import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bitString,
  boolean,
  explicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  time,
  utf8String,
} from '../../../../daemons/egress/der.ts';

const hex = (bytes: Buffer): string => bytes.toString('hex');

test('values are encoded as in X.690 and RFC 5280', () => {
  assert.equal(hex(integer(Buffer.from([0]))), '020100');
  assert.equal(hex(integer(Buffer.from([0x7f]))), '02017f');
  assert.equal(hex(integer(Buffer.from([0x80]))), '02020080');
  assert.equal(hex(integer(Buffer.from([0, 0, 1]))), '020101');
  assert.equal(hex(boolean(true)), '0101ff');
  assert.equal(hex(bitString(Buffer.from([0x06]), 7)), '03020106');
  assert.equal(hex(objectIdentifier('2.5.29.17')), '0603551d11');
  assert.equal(hex(objectIdentifier('1.2.840.10045.4.3.2')), '06082a8648ce3d040302');
  assert.equal(hex(utf8String('a')), '0c0161');
  assert.equal(hex(explicit(0, integer(Buffer.from([2])))), 'a003020102');
  assert.equal(time(new Date('2049-12-31T23:59:59.999Z')).toString('latin1', 2), '491231235959Z');
  assert.equal(time(new Date('2050-01-01T00:00:00Z')).toString('latin1', 2), '20500101000000Z');
  assert.equal(hex(sequence()), '3000');
});

test('a length says how much follows, in as few bytes as can be', () => {
  fc.assert(
    fc.property(fc.oneof(fc.nat(300), fc.nat(65_535)), (length) => {
      const bytes = octetString(Buffer.alloc(length));
      const first = bytes[1] ?? 0;
      const count = first < 0x80 ? 0 : first & 0x7f;
      const told = count === 0 ? first : bytes.readUIntBE(2, count);
      assert.equal(told, length);
      assert.equal(bytes.length, 2 + count + length);
      assert.equal(count, length < 0x80 ? 0 : length < 0x100 ? 1 : 2);
    }),
  );
  assert.throws(() => octetString(Buffer.alloc(65_536)), RangeError);
});
