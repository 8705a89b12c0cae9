import { decodedLayer, type Layer, type Piece } from './layer.ts';

/** Base64 of 15 bytes. No token is shorter, and few words are longer. */
const SHORTEST_RUN = 20;

/** A line of at least so many characters may go on in the next line: `base64` and PEM break lines at 76 or 64. */
const SHORTEST_LINE = 16;

/** How many characters may stand between two lines of one run: line break, indentation, quotes, comment signs. */
const LONGEST_BREAK = 64;

/** Hex of 16 bytes. */
const SHORTEST_HEX = 32;

/** RFC 4648 sections 4 and 5. */
const BASE64 = setOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_');

const HEX = setOf('0123456789ABCDEFabcdef');

/** What may stand between the lines of a run. */
const BREAK = setOf(' \t\r\n"\'`,;#*>|\\=');

/** A stretch of characters of base64, without what breaks its lines. */
interface Run {
  readonly text: string;
  /** Offset of its first character. */
  readonly start: number;
}

/**
 * What the stretches of base64 and of hex digits in a layer stand for. Where base64 begins is not known (letters may stand before it), so each
 * stretch is decoded four times, from its first to its fourth character; hex twice.
 */
export function* decodedTexts(layer: Layer): Generator<Layer> {
  const runs = base64Runs(layer.bytes);
  const hex = runs.flatMap(hexRuns);
  for (let skip = 0; skip < 4 && runs.length > 0; skip++) yield decodeRuns(layer, 'base64', runs, skip);
  for (let skip = 0; skip < 2 && hex.length > 0; skip++) yield decodeRuns(layer, 'hex', hex, skip);
}

/** The stretches of base64 in some bytes, each on a line of its own, without what breaks their lines. */
export function base64Lines(bytes: Buffer): Buffer {
  return Buffer.from(
    base64Runs(bytes)
      .map(({ text }) => text)
      .join('\n'),
    'latin1',
  );
}

function decodeRuns(layer: Layer, decoding: 'base64' | 'hex', runs: readonly Run[], skip: number): Layer {
  const size = runs.reduce((sum, { text }) => sum + text.length + 1, 0);
  const out = Buffer.allocUnsafe(size);
  const pieces: Piece[] = [];
  let length = 0;
  for (const { text, start } of runs) {
    pieces.push({ start: length, from: start });
    length += out.write(text.slice(skip), length, decoding);
    // So that two pieces do not make one token.
    out[length++] = 0x0a;
  }
  return decodedLayer(layer, decoding, out.subarray(0, length), pieces);
}

function base64Runs(bytes: Buffer): readonly Run[] {
  const runs: Run[] = [];
  for (let start = nextRun(bytes, 0); start < bytes.length; ) {
    let end = endOfLine(bytes, start);
    const lines = [bytes.toString('latin1', start, end)];
    for (let line = end - start; line >= SHORTEST_LINE; ) {
      const next = nextLine(bytes, end);
      if (next === undefined) break;
      end = endOfLine(bytes, next);
      line = end - next;
      lines.push(bytes.toString('latin1', next, end));
    }
    const text = lines.join('');
    if (text.length >= SHORTEST_RUN && isLikelyEncoded(text)) runs.push({ text, start });
    start = nextRun(bytes, end);
  }
  return runs;
}

/** Upper and lower case are mixed in base64; words and paths are mostly of one. */
function isLikelyEncoded(text: string): boolean {
  return (/[A-Z]/.test(text) && /[a-z]/.test(text)) || /[0-9A-Fa-f]{32}/.test(text);
}

/** Where the next line begins that is long enough. It looks at the last character of each window first, and so at few of them. */
function nextRun(bytes: Buffer, from: number): number {
  let start = from;
  let last = start + SHORTEST_LINE - 1;
  while (last < bytes.length) {
    let i = last;
    while (i >= start && BASE64[bytes[i] ?? 0] === 1) i--;
    if (i < start) return start;
    start = i + 1;
    last = start + SHORTEST_LINE - 1;
  }
  return bytes.length;
}

function endOfLine(bytes: Buffer, start: number): number {
  let i = start;
  while (i < bytes.length && BASE64[bytes[i] ?? 0] === 1) i++;
  return i;
}

/** Where a run goes on after a line break at `end`, real or written as `\n`; `undefined` where it does not. */
function nextLine(bytes: Buffer, end: number): number | undefined {
  let broken = false;
  let i = end;
  while (i < bytes.length && i - end < LONGEST_BREAK) {
    const byte = bytes[i] ?? 0;
    const next = bytes[i + 1];
    if (byte === 0x5c && (next === 0x6e || next === 0x72)) {
      broken = true;
      i += 2;
    } else if (BREAK[byte] === 1) {
      broken ||= byte === 0x0a;
      i++;
    } else {
      return broken && BASE64[byte] === 1 ? i : undefined;
    }
  }
  return undefined;
}

function hexRuns({ text, start }: Run): readonly Run[] {
  const runs: Run[] = [];
  let begin = 0;
  // By hand: a regular expression that repeats without a bound runs out of stack on a long line.
  for (let i = 0; i <= text.length; i++) {
    if (i < text.length && HEX[text.charCodeAt(i)] === 1) continue;
    if (i - begin >= SHORTEST_HEX) runs.push({ text: text.slice(begin, i), start: start + begin });
    begin = i + 1;
  }
  return runs;
}

/** The bytes that are one of `characters`. */
function setOf(characters: string): Uint8Array {
  const set = new Uint8Array(256);
  for (const character of characters) set[character.charCodeAt(0)] = 1;
  return set;
}
