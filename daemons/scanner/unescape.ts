import { decodedLayer, type Layer, type Piece } from './layer.ts';

/** How far from an escape a token may reach. In bytes. */
const REACH = 512;

/** Characters that do not show: Default_Ignorable_Code_Point of Unicode (DerivedCoreProperties.txt), those above 127. */
const INVISIBLE: readonly (readonly [first: number, last: number])[] = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x202a, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfff8],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
];

/** The first two bytes, in UTF-8, of characters that do not show: most others are told from them by these. */
const INVISIBLE_BEGINS = new Uint8Array(65_536);

/** Bytes with which something begins that other programs leave out or read as another character. */
const BEGINS = new Uint8Array(256);
for (const byte of [0x00, 0x25, 0x26, 0x5c]) BEGINS[byte] = 1;
for (const [first, last] of INVISIBLE) {
  for (let code = first; code <= last; code++) {
    const utf8 = Buffer.from(String.fromCodePoint(code));
    INVISIBLE_BEGINS[utf8.readUInt16BE(0)] = 1;
    BEGINS[utf8.readUInt8(0)] = 1;
  }
}

const BEGIN_BYTES = [...BEGINS.keys()].filter((byte) => BEGINS[byte] === 1);

/** Signs that a backslash before them leaves as they are: `"`, `/` and `\`. */
const SIGNS: ReadonlySet<number> = new Set([0x22, 0x2f, 0x5c]);

/**
 * The text around escapes, with these resolved: `%67` (RFC 3986), `%u0067` (ECMAScript, B.2.1.1), `\u0067`, `\u{67}`, `\U00000067`, `\x67`, `\147`, `\"`, `\/` and `\\` (JSON, JavaScript, C,
 * Python), `&#103;` and `&#x67;` (HTML). What does not show is left out: zero bytes (so UTF-16 becomes readable), characters of Unicode that do
 * not show, a backslash before a line break. `undefined` where there is nothing of that.
 */
export function unescaped(layer: Layer): Layer | undefined {
  const stretches = stretchesAround(layer.bytes);
  if (stretches.length === 0) return undefined;
  const size = stretches.reduce((sum, { start, end }) => sum + end - start + 1, 0);
  const out = Buffer.allocUnsafe(size);
  const pieces: Piece[] = [];
  let length = 0;
  for (const { start, end } of stretches) {
    length = resolve(layer.bytes, start, end, out, length, pieces);
    // So that two stretches do not make one token.
    out[length++] = 0x0a;
  }
  return decodedLayer(layer, 'escapes', out.subarray(0, length), pieces);
}

interface Stretch {
  readonly start: number;
  end: number;
}

function stretchesAround(bytes: Buffer): readonly Stretch[] {
  const stretches: Stretch[] = [];
  for (let i = firstBegin(bytes); i < bytes.length; i = nextBegin(bytes, i + 1)) {
    if (escapeLength(bytes, i) === 0 || (bytes[i] === 0 && !isWithinText(bytes, i))) continue;
    const last = stretches.at(-1);
    const end = Math.min(bytes.length, i + REACH);
    if (last !== undefined && i - REACH <= last.end) last.end = end;
    else stretches.push({ start: Math.max(0, i - REACH), end });
  }
  return stretches;
}

/**
 * Whether the zero byte at `i` may be a part of UTF-16 or UTF-32, or stand within a token: then visible characters (and other zero bytes) are on
 * both sides and, since tokens are long, go on for a while on one of them. Most zero bytes of binary files are not so.
 */
function isWithinText(bytes: Buffer, i: number): boolean {
  if (!isVisible(bytes[i - 1] ?? 0) || !isVisibleOrZero(bytes[i + 1])) return false;
  return (
    NEIGHBOURS.every((n) => isVisibleOrZero(bytes[i + n])) || NEIGHBOURS.every((n) => isVisibleOrZero(bytes[i - n]))
  );
}

const NEIGHBOURS = [2, 3, 4, 5, 6];

function isVisibleOrZero(byte: number | undefined): boolean {
  return byte === undefined || byte === 0 || isVisible(byte);
}

function isVisible(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f;
}

/** Most bytes of most texts begin nothing, and the library of C finds a byte far faster than a loop here. */
function firstBegin(bytes: Buffer): number {
  let first = bytes.length;
  for (const byte of BEGIN_BYTES) {
    const found = bytes.subarray(0, first).indexOf(byte);
    if (found !== -1) first = found;
  }
  return first;
}

function nextBegin(bytes: Buffer, from: number): number {
  let i = from;
  while (i < bytes.length && BEGINS[bytes[i] ?? 0] === 0) i++;
  return i;
}

/** Copies a stretch with its escapes resolved to `out`, and returns where the next begins. */
function resolve(bytes: Buffer, start: number, end: number, out: Buffer, at: number, pieces: Piece[]): number {
  let length = at;
  pieces.push({ start: length, from: start });
  for (let i = start; i < end; ) {
    const byte = bytes[i] ?? 0;
    const taken = BEGINS[byte] === 1 ? escapeLength(bytes, i) : 0;
    if (taken === 0) {
      out[length++] = byte;
      i++;
      continue;
    }
    const resolved = byte === 0 ? undefined : resolvedByte(bytes, i, taken);
    if (resolved !== undefined) out[length++] = resolved;
    i += taken;
    // A note for each escape would be longer than the text itself.
    if (length - (pieces.at(-1)?.start ?? 0) >= 64) pieces.push({ start: length, from: i });
  }
  return length;
}

/** How many bytes the escape at `i` has; 0 where there is none. */
function escapeLength(bytes: Buffer, i: number): number {
  const next = bytes[i + 1] ?? 0;
  switch (bytes[i]) {
    case 0x00:
      return 1;
    case 0x25: // %67 %u0067
      if ((next | 0x20) === 0x75) return [2, 3, 4, 5].every((ahead) => isHex(bytes[i + ahead])) ? 6 : 0;
      return isHex(next) && isHex(bytes[i + 2]) ? 3 : 0;
    case 0x26: // &#103; &#x67;
      return next === 0x23 ? entityLength(bytes, i) : 0;
    case 0x5c:
      return backslashLength(bytes, i, next);
    default:
      return invisibleLength(bytes, i, next);
  }
}

function backslashLength(bytes: Buffer, i: number, next: number): number {
  if (next === 0x75 && bytes[i + 2] === 0x7b) return bracedLength(bytes, i);
  if (next === 0x75) return [2, 3, 4, 5].every((ahead) => isHex(bytes[i + ahead])) ? 6 : 0;
  if (next === 0x55) return [2, 3, 4, 5, 6, 7, 8, 9].every((ahead) => isHex(bytes[i + ahead])) ? 10 : 0;
  if (next >= 0x30 && next <= 0x33) return isOctal(bytes[i + 2]) && isOctal(bytes[i + 3]) ? 4 : 0;
  if (next === 0x78) return isHex(bytes[i + 2]) && isHex(bytes[i + 3]) ? 4 : 0;
  if (next === 0x0d && bytes[i + 2] === 0x0a) return 3;
  return next === 0x0a || SIGNS.has(next) ? 2 : 0;
}

/** With zeros in front; browsers take any number of them, and need no semicolon. */
const LONGEST_ENTITY = 40;

function entityLength(bytes: Buffer, i: number): number {
  const match = /^&#(?:x0*[0-9a-f]{1,6}|0*\d{1,7});?/i.exec(bytes.toString('latin1', i, i + LONGEST_ENTITY));
  return match === null ? 0 : match[0].length;
}

function bracedLength(bytes: Buffer, i: number): number {
  const match = /^\\u\{[0-9a-f]{1,8}\}/i.exec(bytes.toString('latin1', i, i + 12));
  return match === null ? 0 : match[0].length;
}

function invisibleLength(bytes: Buffer, i: number, next: number): number {
  const lead = bytes[i] ?? 0;
  if (INVISIBLE_BEGINS[(lead << 8) | next] !== 1) return 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const code = bytes.toString('utf8', i, i + length).codePointAt(0) ?? 0;
  return INVISIBLE.some(([first, last]) => code >= first && code <= last) ? length : 0;
}

/** The character that an escape stands for; `undefined` where it stands for none, or for one that no token has. */
function resolvedByte(bytes: Buffer, i: number, length: number): number | undefined {
  const text = bytes.toString('latin1', i, i + length);
  const code = codeOf(text);
  return code !== undefined && code > 0 && code < 256 ? code : undefined;
}

function codeOf(text: string): number | undefined {
  if (/^%u/i.test(text)) return Number.parseInt(text.slice(2), 16);
  if (text.startsWith('%')) return Number.parseInt(text.slice(1), 16);
  if (text.startsWith('&#x') || text.startsWith('&#X')) return Number.parseInt(text.slice(3), 16);
  if (text.startsWith('&#')) return Number.parseInt(text.slice(2), 10);
  if (text.startsWith('\\u{')) return Number.parseInt(text.slice(3), 16);
  if (/^\\[uUx]/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^\\\d/.test(text)) return Number.parseInt(text.slice(1), 8);
  const sign = text.charCodeAt(1);
  return SIGNS.has(sign) && text.length === 2 ? sign : undefined;
}

function isOctal(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x37;
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const lower = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}
