import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { finderOf, fingerprintsOf } from '../../../daemons/known-secrets/fingerprints.ts';
import { scanBytes } from '../../../daemons/scanner/scan.ts';
import { ALNUM, random } from './samples.ts';

/** A token of a known kind, and a secret of no known form that the bundle holds. */
const token = `${'gh'}p_${random(ALNUM, 36)}`;
const known = random(ALNUM, 32);

const finders = [finderOf(fingerprintsOf([{ name: 'DEPLOY_KEY', value: known }]))];

async function rulesIn(bytes: Buffer): Promise<readonly string[]> {
  const result = await scanBytes(bytes, finders, 1e7);
  assert.ok(result.ok);
  return result.findings.map(({ rule }) => rule);
}

type Way = (secret: string) => string | Buffer;

const every = (secret: string, write: (code: number) => string) =>
  [...secret].map((character) => write(character.charCodeAt(0))).join('');
const hex2 = (code: number) => code.toString(16).padStart(2, '0');
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');
const wrapped = (text: string, width: number, between: string) =>
  (text.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).join(between);

/** Ways to hide a secret that the scanner sees through. */
const FOUND: Readonly<Record<string, Way>> = {
  'as it is': (s) => `token = "${s}"`,
  'between letters': (s) => `abc${s}xyz`,
  'after letters of other scripts': (s) => `ключ${s}ключ`,
  'with a secretlint-disable comment': (s) => `/* secretlint-disable */\nx = "${s}" // secretlint-disable-line\n`,
  'with a secretlint-disable-next-line comment': (s) => `// secretlint-disable-next-line\nx = "${s}"\n`,
  'with a gitleaks:allow or betterleaks:allow comment': (s) => `x = "${s}" // gitleaks:allow betterleaks:allow\n`,
  'with other allow comments': (s) => `x = "${s}" # nosec noqa pragma: allowlist secret trufflehog:ignore ggignore\n`,
  'in a binary file': (s) =>
    Buffer.concat([Buffer.from([0, 1, 2, 255, 254, 0]), Buffer.from(s), Buffer.from([0, 200])]),
  'after a zero byte that makes the file look binary': (s) => `\0\n${s}`,
  'with zero bytes within': (s) => [...s].join('\0'),
  'in UTF-16, little end first': (s) => Buffer.from(`\uFEFFx = ${s}\n`, 'utf16le'),
  'in UTF-16, big end first': (s) => Buffer.from(`\uFEFFx = ${s}\n`, 'utf16le').swap16(),
  'in UTF-32': (s) =>
    Buffer.from(
      every(s, (code) => `${String.fromCharCode(code)}\0\0\0`),
      'latin1',
    ),
  'with a zero-width space within': (s) => `${s.slice(0, 9)}\u200B${s.slice(9)}`,
  'with a soft hyphen and a byte order mark within': (s) =>
    `${s.slice(0, 9)}\u00AD${s.slice(9, 20)}\uFEFF${s.slice(20)}`,
  'with bidirectional marks around each letter': (s) => every(s, (code) => `\u202E${String.fromCharCode(code)}\u2066`),
  'in base64': base64,
  'in base64 without padding, for URLs': (s) => Buffer.from(`?${s}?`).toString('base64url'),
  'in base64 in the middle of a word': (s) => `abcde${base64(s)}`,
  'in base64 that is broken at 64 characters': (s) =>
    wrapped(base64(`some words before it, to fill lines: ${s}`), 64, '\n'),
  'in base64 in a YAML block': (s) => `data: |\n    ${wrapped(base64(`${'-'.repeat(100)}${s}`), 76, '\n    ')}\n`,
  'in base64 in lines of a string literal': (s) => `"${wrapped(base64(`${'-'.repeat(100)}${s}`), 40, '",\n  "')}"`,
  'in base64 of base64': (s) => base64(base64(s)),
  'in base64 of UTF-16': (s) => base64(Buffer.from(s, 'utf16le')),
  'in hex digits': (s) => Buffer.from(s).toString('hex').toUpperCase(),
  'in hex digits after an odd one': (s) => `0${Buffer.from(s).toString('hex')}`,
  'in URL encoding of every byte': (s) => every(s, (code) => `%${hex2(code)}`),
  'in URL encoding of some bytes': (s) => `https://example.com/?q=%${hex2(s.charCodeAt(0))}${s.slice(1)}`,
  'in escapes of JSON': (s) => `{"x":"${every(s, (code) => `\\u00${hex2(code)}`)}"}`,
  'in escapes of C': (s) => `"${every(s, (code) => `\\x${hex2(code)}`)}"`,
  'in entities of HTML': (s) => `<p>${every(s, (code) => (code % 2 === 0 ? `&#${code};` : `&#x${hex2(code)};`))}</p>`,
  'in entities of HTML with zeros in front and without a semicolon': (s) =>
    `<p>${every(s, (code) => (code % 2 === 0 ? `&#x${'0'.repeat(12)}${hex2(code)}` : `&#0000000${code}`))}</p>`,
  'in URL encoding of old JavaScript': (s) => every(s, (code) => `%u00${hex2(code)}`),
  'in octal escapes of C': (s) => `"${every(s, (code) => `\\${code.toString(8).padStart(3, '0')}`)}"`,
  'in escapes of JavaScript with braces': (s) => `"${every(s, (code) => `\\u{${hex2(code)}}`)}"`,
  'in long escapes of Python': (s) => `"${every(s, (code) => `\\U000000${hex2(code)}`)}"`,
  'with characters within that do not show': (s) =>
    ['\uFE0F', '\u034F', '\u061C', '\u180E', '\u3164', '\u115F', '\u{E0041}', '\uFFA0'].reduce(
      (text, mark, index) => `${text.slice(0, 4 + 2 * index)}${mark}${text.slice(4 + 2 * index)}`,
      s,
    ),
  'broken by a backslash at the end of a line': (s) => `${s.slice(0, 12)}\\\n${s.slice(12)}`,
  'in gzip': (s) => gzipSync(`x = ${s}`),
  'in gzip with a wrong checksum': (s) => Buffer.concat([gzipSync(`x = ${s}`).subarray(0, -8), Buffer.alloc(8)]),
  'in gzip that is damaged further on': (s) => damaged(gzipSync(`${s}${random(ALNUM, 4000)}`)),
  'in gzip that is cut off': (s) => gzipSync(`${s}${random(ALNUM, 4000)}`).subarray(0, 600),
  'in gzip with a name': (s) =>
    Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]), Buffer.from('a.txt\0'), deflateRawSync(s)]),
  'in gzip after other bytes': (s) => Buffer.concat([Buffer.from('#!/bin/sh\n'), gzipSync(s), gzipSync('nothing')]),
  'in base64 of gzip': (s) => base64(gzipSync(s)),
  'in gzip of base64': (s) => gzipSync(base64(s)),
  'in a stream of a PDF file': (s) =>
    Buffer.concat([
      Buffer.from('<</Filter/FlateDecode>>stream\n'),
      deflateSync(`(${s}) Tj`),
      Buffer.from('\nendstream'),
    ]),
  'in an object of git': (s) => deflateSync(`blob ${s.length}\0${s}`, { level: 1 }),
  'in zlib of another level': (s) => deflateSync(`blob ${s.length}\0${s}`, { level: 4 }),
  'in an entry of a zip file': (s) => zipOf(s),
  'in zstd': (s) => zstdCompressSync(s),
  'in a URL with a password': (s) => `git clone https://x:${s}@github.com/a/b`,
  'at the very end of a long line': (s) => `${'a '.repeat(50_000)}${s}`,
  'behind a thousand tokens that are none': (s) => `${`${'gh'}p_${'x'.repeat(36)}\n`.repeat(1000)}${s}`,
};

/** Ways that it does not see through, and why. */
const NOT_FOUND: Readonly<Record<string, { readonly way: Way; readonly because: string }>> = {
  'put together by a program': { way: (s) => `"${s.slice(0, 9)}" + "${s.slice(9)}"`, because: 'programs are not run' },
  'one letter a line': { way: (s) => [...s].join('\n'), because: 'lines are not joined' },
  'with spaces within': { way: (s) => [...s].join(' '), because: 'any words would then make tokens' },
  backwards: { way: (s) => [...s].reverse().join(''), because: 'there is no end of such codes' },
  'in zlib with a small window': {
    way: (s) => deflateSync(s, { windowBits: 9 }),
    because: 'most of what looks like its beginning is none, and each try takes time',
  },
  'in ROT13': {
    way: (s) => s.replace(/[a-z]/gi, (c) => String.fromCharCode(c.charCodeAt(0) + (c.toLowerCase() < 'n' ? 13 : -13))),
    because: 'there is no end of such codes',
  },
  'encrypted, here with XOR': {
    way: (s) => Buffer.from([...Buffer.from(s)].map((byte) => byte ^ 0x5a)),
    because: 'nothing can tell it from other bytes',
  },
  'encoded three times': { way: (s) => base64(base64(base64(s))), because: 'two times are undone' },
  'in base64 that is broken at 8 characters': {
    way: (s) => wrapped(base64(s), 8, '\n'),
    because: 'short words in a column would be taken for base64',
  },
  'in numbers': { way: (s) => `[${every(s, (code) => `${code},`)}]`, because: 'lists of numbers are not decoded' },
  'in hex digits with spaces': { way: (s) => every(s, (code) => `${hex2(code)} `), because: 'dumps are not decoded' },
  'in base32': { way: (s) => base32(s), because: 'base32 is not decoded' },
};

describe('a secret that is hidden is found', () => {
  for (const [name, way] of Object.entries(FOUND)) {
    it(`${name}: a token`, async () => {
      assert.ok((await rulesIn(Buffer.from(way(token)))).includes('github-token'));
    });
    it(`${name}: a secret that the bundle holds`, async () => {
      assert.ok((await rulesIn(Buffer.from(way(known)))).includes('known-secret'));
    });
  }

  it('two secrets in one place are both told', async () => {
    const rules = await rulesIn(Buffer.from(`${token} ${known}`));
    assert.deepEqual([...rules].sort(), ['github-token', 'known-secret']);
  });
});

describe('a secret that is hidden in these ways is not found', () => {
  for (const [name, { way, because }] of Object.entries(NOT_FOUND)) {
    it(`${name}, because ${because}`, async () => {
      assert.deepEqual(await rulesIn(Buffer.from(way(token))), []);
      assert.deepEqual(await rulesIn(Buffer.from(way(known))), []);
    });
  }
});

/** Blocks that are none, behind one that is. */
function damaged(gzip: Buffer): Buffer {
  return Buffer.from(gzip).fill(0xff, 1500);
}

/** A zip file of one entry, without its directory: readers that stream need none. */
function zipOf(text: string): Buffer {
  const data = deflateRawSync(text);
  const name = Buffer.from('notes.txt');
  const header = Buffer.alloc(30);
  header.write('PK\x03\x04', 'latin1');
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(8, 8);
  header.writeUInt32LE(data.length, 18);
  header.writeUInt32LE(text.length, 22);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, name, data]);
}

/** RFC 4648 section 6. */
function base32(text: string): string {
  const bits = [...Buffer.from(text)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? [])
    .map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five, 2)])
    .join('');
}
