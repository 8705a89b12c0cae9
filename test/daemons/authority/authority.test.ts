import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatAuthority, parseAuthority } from '../../../daemons/authority/authority.ts';

/** Host and port as one text, or undefined. */
function read(text: string): string | undefined {
  const authority = parseAuthority(text, 443);
  return authority && formatAuthority(authority);
}

describe('an authority', () => {
  const SPELLINGS: readonly (readonly [text: string, canonical: string])[] = [
    ['Example.COM', 'example.com:443'],
    ['example.com.', 'example.com:443'],
    ['example.com:', 'example.com:443'],
    ['example.com:080', 'example.com:80'],
    ['example.com:65535', 'example.com:65535'],
    ['_service.example.com', '_service.example.com:443'],
    ['localhost', 'localhost:443'],
    ['bücher.example:8443', 'xn--bcher-kva.example:8443'],
    ['XN--BCHER-KVA.example', 'xn--bcher-kva.example:443'],
    ['faß.example', 'xn--fa-hia.example:443'],
    ['exam\u00adple.com', 'example.com:443'],
    ['a\u3002example\uff0ecom\uff61', 'a.example.com:443'],
    ['1.2.3.4.', '1.2.3.4:443'],
    ['0x7f.1', '127.0.0.1:443'],
    ['2130706433', '127.0.0.1:443'],
    ['0177.0.0.1', '127.0.0.1:443'],
    ['127.1:81', '127.0.0.1:81'],
    ['\uff11\uff12\uff17.0.0.1', '127.0.0.1:443'],
    ['[::1]', '[::1]:443'],
    ['[2001:DB8:0:0:0:0:0:1]:8443', '[2001:db8::1]:8443'],
    ['[::FFFF:127.0.0.1]', '127.0.0.1:443'],
    ['[::ffff:7f00:1]:80', '127.0.0.1:80'],
  ];
  for (const [text, canonical] of SPELLINGS) {
    it(`${JSON.stringify(text)} is ${canonical}`, () => assert.equal(read(text), canonical));
  }

  const NONE: readonly (readonly [why: string, text: string])[] = [
    ['nothing', ''],
    ['a port alone', ':443'],
    ['a dot', '.'],
    ['an empty label', 'a..b'],
    ['two dots at the end', 'example.com..'],
    ['a label of 64 characters', `${'a'.repeat(64)}.example`],
    ['a name of 254 characters', `${'a.'.repeat(126)}bc`],
    ['a label with a hyphen in front', '-a.example'],
    ['a label with a hyphen at the end', 'a-.example'],
    ['a user', 'user@example.com'],
    ['a user and a password', 'user:1@example.com'],
    ['a path', 'example.com/a'],
    ['a query', 'example.com?a'],
    ['a fragment', 'example.com#a'],
    ['a backslash', 'example.com\\a'],
    ['a percent-encoding', 'ex%61mple.com'],
    ['a space', 'exa mple.com'],
    ['a tab', 'exa\tmple.com'],
    ['a line break', 'example.com\r\nX: y'],
    ['a NUL', 'example.com\0'],
    ['an asterisk', '*.example.com'],
    ['a full-width slash', 'example.com\uff0fa'],
    ['port 0', 'example.com:0'],
    ['port 65536', 'example.com:65536'],
    ['a port with a sign', 'example.com:+80'],
    ['a port in hexadecimal', 'example.com:0x50'],
    ['two ports', 'example.com:80:80'],
    ['an IPv4 address with a part over 255', '256.1.1.1'],
    ['an IPv4 address with five parts', '1.2.3.4.5'],
    ['a name that ends like a number', 'example.0x4'],
    ['an IPv6 address without brackets', '::1'],
    ['an IPv6 address with a zone', '[fe80::1%eth0]'],
    ['an IPv6 address with an encoded zone', '[fe80::1%25eth0]'],
    ['an IPv6 address with two gaps', '[1::2::3]'],
    ['an IPv4 address in brackets', '[1.2.3.4]'],
    ['text behind the brackets', '[::1]a'],
    ['brackets without an end', '[::1'],
    ['text beyond any name', 'a'.repeat(100_000)],
  ];
  for (const [why, text] of NONE) it(`is not read from ${why}`, () => assert.equal(read(text), undefined));

  it('leaves out the port that is implied', () => {
    assert.equal(formatAuthority({ host: 'example.com', port: 443, isAddress: false }, 443), 'example.com');
    assert.equal(formatAuthority({ host: '::1', port: 80, isAddress: true }, 443), '[::1]:80');
  });

  it('reads no text in two ways: what was read is written and read again as the same', () => {
    const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,8}$/);
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.domain(),
      fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.')),
      fc.tuple(fc.string({ unit: 'grapheme' }), fc.nat(70_000)).map(([host, port]) => `${host}:${port}`),
      fc.ipV4Extended(),
      fc.ipV6().map((ip) => `[${ip}]`),
    );
    const property = fc.property(texts, fc.integer({ min: 1, max: 65_535 }), (text, defaultPort) => {
      const authority = parseAuthority(text, defaultPort);
      if (authority === undefined) return;
      assert.match(authority.host, /^(?=.{1,253}$)[a-z0-9_:.-]+$/);
      assert.ok(authority.port >= 1 && authority.port <= 65_535);
      assert.deepEqual(parseAuthority(formatAuthority(authority), 1), authority);
      assert.deepEqual(parseAuthority(formatAuthority(authority, defaultPort), defaultPort), authority);
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it('goes where a URL with the same text goes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.domain(),
          fc.ipV4Extended(),
          fc.ipV6().map((ip) => `[${ip}]`),
        ),
        (text) => {
          const url = new URL(`http://${text}/`);
          const authority = parseAuthority(text, 80);
          if (authority === undefined || url.hostname.startsWith('[::ffff:')) return;
          assert.equal(formatAuthority(authority, 80), url.hostname);
        },
      ),
    );
  });
});
