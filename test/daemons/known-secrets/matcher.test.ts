import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { matcherOf } from '../../../daemons/known-secrets/matcher.ts';

/** A made-up secret with characters that encodings change. */
const secret = `${randomBytes(12).toString('hex')}/+"é${randomBytes(6).toString('hex')}`;
const matcher = matcherOf([{ name: 'TOKEN', value: secret }]);

function names(bytes: Buffer | string): readonly string[] {
  return [...new Set(matcher.find(Buffer.from(bytes)).map(({ encoding }) => encoding))];
}

const raw = Buffer.from(secret);
const percent = (upper: boolean) =>
  raw.toString('hex').replace(/../g, (byte) => `%${upper ? byte.toUpperCase() : byte}`);

describe('a matcher finds a secret', () => {
  const cases: Readonly<Record<string, readonly [string | Buffer, string]>> = {
    'as it is': [`a${secret}b`, 'as it is'],
    'in base64': [raw.toString('base64'), 'base64'],
    'in base64 after one byte': [Buffer.from(`x${secret}y`).toString('base64'), 'base64'],
    'in base64 after two bytes': [Buffer.from(`xx${secret}yy`).toString('base64'), 'base64'],
    'in base64 for URLs': [Buffer.from(`x${secret}`).toString('base64url'), 'base64'],
    'in hex digits': [raw.toString('hex'), 'hex'],
    'in hex digits of upper case': [raw.toString('hex').toUpperCase(), 'hex'],
    'in URL encoding': [encodeURIComponent(secret), 'URL encoding'],
    'in URL encoding of lower case': [
      encodeURIComponent(secret).replace(/%../g, (e) => e.toLowerCase()),
      'URL encoding',
    ],
    'in URL encoding of every byte': [percent(true), 'URL encoding of every byte'],
    'in URL encoding of every byte, lower case': [percent(false), 'URL encoding of every byte'],
    'in a text of JSON': [JSON.stringify({ secret }), 'JSON'],
    'in a text of JSON with escaped slashes': [JSON.stringify({ secret }).replaceAll('/', '\\/'), 'JSON'],
    'in UTF-16': [Buffer.from(`x${secret}`, 'utf16le'), 'UTF-16'],
    'in UTF-16 of the other byte order': [Buffer.from(`x${secret}`, 'utf16le').swap16(), 'UTF-16'],
  };
  for (const [name, [bytes, encoding]] of Object.entries(cases)) {
    it(name, () => {
      const found = names(bytes);
      assert.ok(found.includes(encoding) || found.includes(`${encoding}url`), `found: ${found}`);
    });
  }

  it('at its place, under its name', () => {
    const matches = matcher.find(Buffer.from(`ü ${secret} ${secret}`));
    const length = raw.length;
    assert.deepEqual(
      matches.map(({ name, start, end }) => [name, start, end]),
      [
        ['TOKEN', 3, 3 + length],
        ['TOKEN', 4 + length, 4 + 2 * length],
      ],
    );
  });

  it('in base64 wherever it begins in what was encoded', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20 }),
        fc.uint8Array({ maxLength: 20 }),
        fc.boolean(),
        (before, after, url) => {
          const text = Buffer.concat([before, raw, after]).toString(url ? 'base64url' : 'base64');
          assert.ok(matcher.find(Buffer.from(text)).length > 0);
        },
      ),
    );
  });

  it('of several lines by its long lines too, but not by its header', () => {
    const lines = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
    const key = ['-----BEGIN MADE-UP SECRET BLOCK-----', ...lines, '-----END MADE-UP SECRET BLOCK-----', ''].join('\n');
    const keys = matcherOf([{ name: 'KEY', value: key }]);
    assert.ok(keys.find(Buffer.from(`x ${lines[1]} y`)).length > 0);
    assert.equal(keys.find(Buffer.from('-----BEGIN MADE-UP SECRET BLOCK-----\n')).length, 0);
  });
});

describe('a matcher', () => {
  it('finds nothing where there is nothing', () => {
    assert.deepEqual(matcher.find(Buffer.alloc(0)), []);
    assert.deepEqual(matcher.find(raw.subarray(1)), []);
    assert.deepEqual(matcher.find(randomBytes(100_000)), []);
    assert.deepEqual(matcherOf([]).find(raw), []);
  });

  it('looks for secrets of 8 bytes and more and names those that are shorter', () => {
    const [eight, seven] = [randomBytes(4).toString('hex'), randomBytes(4).toString('hex').slice(1)];
    const short = matcherOf([
      { name: 'EIGHT', value: eight },
      { name: 'SEVEN', value: seven },
    ]);
    assert.equal(short.find(Buffer.from(`x${eight}`))[0]?.name, 'EIGHT');
    assert.deepEqual(
      short.leftOut.filter((name) => name !== 'SEVEN'),
      [],
    );
  });

  it('ignores line breaks at the end of a value, as a file has them', () => {
    assert.ok(matcherOf([{ name: 'TOKEN', value: `${secret}\r\n` }]).find(raw).length > 0);
  });
});

/** Texts in which secrets, parts of secrets and other bytes follow each other. */
const nested = randomBytes(20).toString('hex');
const secrets = [
  { name: 'LONG', value: `${nested}-${randomBytes(8).toString('hex')}` },
  { name: 'WITHIN', value: nested.slice(4, 30) },
  { name: 'TWICE', value: 'abababababababababab' },
  { name: 'SHORT', value: randomBytes(5).toString('hex') },
];
const many = matcherOf(secrets);
const piece = fc.oneof(
  ...secrets.map(({ value }) => fc.constant(value)),
  ...secrets.map(({ value }) => fc.nat(value.length).map((length) => value.slice(0, length))),
  ...secrets.map(({ value }) => fc.constant(Buffer.from(`?${value}`).toString('base64'))),
  fc.string({ maxLength: 5 }),
);
const text = fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.from(pieces.join('')));
const cuts = fc.array(fc.nat(400), { maxLength: 12 });

function split(bytes: Buffer, at: readonly number[]): readonly Buffer[] {
  const borders = [0, ...at.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
  return borders.slice(1).map((end, i) => bytes.subarray(borders[i], end));
}

const key = ({ name, encoding, start, end }: { name: string; encoding: string; start: number; end: number }) =>
  `${start}-${end} ${name} ${encoding}`;

describe('a stream of bytes, however it is cut', () => {
  it('has the same matches as the whole, and as many bytes, with stars over each match', () => {
    fc.assert(
      fc.property(text, cuts, (bytes, at) => {
        const stream = many.stream('redact');
        const steps = [...split(bytes, at).map((chunk) => stream.push(chunk)), stream.end()];
        const whole = many.find(bytes);
        assert.deepEqual(steps.flatMap(({ matches }) => matches.map(key)).sort(), whole.map(key).sort());
        const expected = Buffer.from(bytes);
        for (const { start, end } of whole) expected.fill('*', start, end);
        assert.deepEqual(Buffer.concat(steps.map(({ safe }) => safe)), expected);
      }),
      { numRuns: 500 },
    );
  });

  it('lets no secret leave that it was to refuse, and nothing after it', () => {
    fc.assert(
      fc.property(text, cuts, (bytes, at) => {
        const stream = many.stream('refuse');
        const chunks = split(bytes, at);
        let gone = Buffer.alloc(0);
        let refused = false;
        for (const chunk of chunks) {
          const { safe, matches } = stream.push(chunk);
          if (refused) assert.deepEqual([safe.length, matches.length], [0, 0]);
          gone = Buffer.concat([gone, safe]);
          refused ||= matches.length > 0;
        }
        gone = Buffer.concat([gone, stream.end().safe]);
        assert.equal(refused, many.find(bytes).length > 0);
        assert.deepEqual(many.find(gone), []);
        assert.deepEqual(gone, bytes.subarray(0, gone.length));
        if (!refused) assert.deepEqual(gone, bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('holds back less than one secret, and only what may become one', () => {
    const longest = Math.max(...secrets.map(({ value }) => value.length)) * 3;
    fc.assert(
      fc.property(text, cuts, (bytes, at) => {
        const stream = many.stream('redact');
        let seen = 0;
        let gone = 0;
        for (const chunk of split(bytes, at)) {
          seen += chunk.length;
          gone += stream.push(chunk).safe.length;
          assert.ok(seen - gone < longest);
        }
      }),
    );
    const stream = many.stream('refuse');
    assert.equal(stream.push(Buffer.from('data: ordinary\n\n')).safe.length, 16);
  });

  it('never lets the last byte of a secret leave before it is known, byte by byte', () => {
    for (const one of secrets) {
      const stream = matcherOf([one]).stream('refuse');
      const bytes = Buffer.from(`before ${one.value} after`);
      let gone = '';
      for (const byte of bytes) gone += stream.push(Buffer.of(byte)).safe.toString();
      assert.equal(gone + stream.end().safe.toString(), 'before ');
    }
  });
});
