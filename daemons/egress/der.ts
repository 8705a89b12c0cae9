/** DER (ITU-T X.690), as far as an X.509 certificate needs it. Each function returns the whole encoding of one value. */

const encoded = (tag: number, content: Uint8Array): Buffer => {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  if (length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, length]), content]);
  if (length < 0x10000) return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content]);
  throw new RangeError(`a DER value of ${length} bytes is longer than any in a certificate of ours`);
};

export const sequence = (...items: Uint8Array[]): Buffer => encoded(0x30, Buffer.concat(items));

export const set = (...items: Uint8Array[]): Buffer => encoded(0x31, Buffer.concat(items));

export const boolean = (value: boolean): Buffer => encoded(0x01, Buffer.from([value ? 0xff : 0x00]));

/** A whole number of any size that is not negative, as big-endian bytes. */
export const integer = (bytes: Uint8Array): Buffer => {
  let first = 0;
  while (first < bytes.length - 1 && bytes[first] === 0) first += 1;
  const digits = bytes.subarray(first);
  const isSigned = (digits[0] ?? 0) >= 0x80;
  return encoded(0x02, isSigned ? Buffer.concat([Buffer.from([0]), digits]) : digits);
};

/** `bits` counts the meaningful bits of a list of named flags; without it, all of them are. */
export const bitString = (bytes: Uint8Array, bits = bytes.length * 8): Buffer =>
  encoded(0x03, Buffer.concat([Buffer.from([bytes.length * 8 - bits]), bytes]));

export const octetString = (bytes: Uint8Array): Buffer => encoded(0x04, bytes);

export const utf8String = (text: string): Buffer => encoded(0x0c, Buffer.from(text, 'utf8'));

/** Dotted notation, e.g. `2.5.29.17`. */
export const objectIdentifier = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const septets = [arc & 0x7f];
    for (let more = arc >>> 7; more > 0; more >>>= 7) septets.unshift((more & 0x7f) | 0x80);
    bytes.push(...septets);
  }
  return encoded(0x06, Buffer.from(bytes));
};

/** UTCTime before 2050, GeneralizedTime from then on (RFC 5280 4.1.2.5). Whole seconds. */
export const time = (date: Date): Buffer => {
  const digits = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  const isShort = date.getUTCFullYear() < 2050;
  return encoded(isShort ? 0x17 : 0x18, Buffer.from(isShort ? digits.slice(2) : digits, 'latin1'));
};

/** `[n]` around a whole value. */
export const explicit = (n: number, content: Uint8Array): Buffer => encoded(0xa0 | n, content);

/** `[n]` in place of a primitive value's own tag. */
export const implicit = (n: number, content: Uint8Array): Buffer => encoded(0x80 | n, content);
