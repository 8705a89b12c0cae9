import { constants, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import { decodedLayer, type Layer } from './layer.ts';

/** A limit on what may come out of decompressing, shared by all of one scan. */
export interface Budget {
  /** Bytes that may still come out. */
  left: number;
}

/** Where compressed data begin, and what reads them. */
interface Format {
  readonly name: string;
  readonly magic: Buffer;
  /** Offset of the compressed data whose magic stands at `start`; `undefined` where they are not compressed so. */
  readonly dataAt: (bytes: Buffer, start: number) => number | undefined;
  /** Decompresses what is there, also where the end is missing. Throws where it is damaged or has more than `most` bytes. */
  readonly decode: (bytes: Buffer, most: number) => Buffer;
}

/** RFC 1950 section 2.2: the window of 32 KiB that programs use unless they are told otherwise, and the four levels. */
const ZLIB_SECOND_BYTES = [0x01, 0x5e, 0x9c, 0xda];

const FORMATS: readonly Format[] = [
  { name: 'gzip', magic: Buffer.of(0x1f, 0x8b, 0x08), dataAt: gzipDataAt, decode: inflate },
  { name: 'zip', magic: Buffer.from('PK\x03\x04', 'latin1'), dataAt: zipDataAt, decode: inflate },
  // Streams in PDF and PNG files, objects of git.
  ...ZLIB_SECOND_BYTES.map(
    (second): Format => ({
      name: 'zlib',
      magic: Buffer.of(0x78, second),
      dataAt: zlibDataAt,
      decode: inflate,
    }),
  ),
  {
    name: 'zstd', // RFC 8878
    magic: Buffer.of(0x28, 0xb5, 0x2f, 0xfd),
    dataAt: (_bytes, start) => start,
    decode: (bytes, most) =>
      zstdDecompressSync(bytes, { finishFlush: constants.ZSTD_e_continue, maxOutputLength: most }),
  },
];

/** What is damaged within so many bytes was no compressed data at all. */
const SHORTEST_DATA = 16;

/**
 * What is compressed in a layer, wherever in it: gzip, zlib, entries of zip files, zstd. Data that are damaged or cut off count up to there. Throws
 * an error for a person when more comes out than `budget` allows.
 */
export function* decompressed(layer: Layer, budget: Budget): Generator<Layer> {
  for (const { name, magic, dataAt, decode } of FORMATS) {
    for (let at = layer.bytes.indexOf(magic); at !== -1; at = layer.bytes.indexOf(magic, at + 1)) {
      const data = dataAt(layer.bytes, at);
      if (data === undefined || data >= layer.bytes.length) continue;
      const bytes = decodeWhatIsWhole(layer.bytes.subarray(data), decode, budget);
      budget.left -= bytes.length;
      if (bytes.length > 0) yield decodedLayer(layer, name, bytes, [{ start: 0, from: at }]);
    }
  }
}

/** Decompresses up to the first damage: a program that reads such data shows what comes before it. */
function decodeWhatIsWhole(bytes: Buffer, decode: Format['decode'], budget: Budget): Buffer {
  const most = Math.max(1, budget.left);
  const tryPrefix = (length: number): Buffer | undefined => {
    try {
      return decode(bytes.subarray(0, length), most);
    } catch (error) {
      if (!isTooLarge(error)) return undefined;
      throw new Error('it holds compressed data that are too large to be looked through', { cause: error });
    }
  };
  let whole: Buffer = Buffer.alloc(0);
  if (tryPrefix(Math.min(SHORTEST_DATA, bytes.length)) === undefined) return whole;
  const all = tryPrefix(bytes.length);
  if (all !== undefined) return all;
  for (let low = SHORTEST_DATA + 1, high = bytes.length - 1; low <= high; ) {
    const middle = (low + high) >>> 1;
    const prefix = tryPrefix(middle);
    if (prefix === undefined) high = middle - 1;
    else {
      whole = prefix;
      low = middle + 1;
    }
  }
  return whole;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

/** RFC 1951. The checksums of what it stands in are not looked at: a wrong one hides nothing. */
function inflate(bytes: Buffer, most: number): Buffer {
  return inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: most });
}

/** RFC 1952 section 2.3: ten bytes, then what the flags in the fourth announce. */
function gzipDataAt(bytes: Buffer, start: number): number | undefined {
  const flags = bytes[start + 3] ?? 0;
  let at = start + 10;
  if ((flags & 4) !== 0) at += 2 + (bytes[at] ?? 0) + ((bytes[at + 1] ?? 0) << 8);
  for (const text of [8, 16]) {
    if ((flags & text) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end === -1) return undefined;
    at = end + 1;
  }
  return (flags & 2) === 0 ? at : at + 2;
}

/** RFC 1951 section 3.2.3: no block has type 3, and one of type 0 says its length twice. Most of what looks like a begin by chance ends here. */
function zlibDataAt(bytes: Buffer, start: number): number | undefined {
  const at = start + 2;
  const type = ((bytes[at] ?? 0) >> 1) & 3;
  if (type === 3) return undefined;
  if (type !== 0 || at + 5 > bytes.length) return at;
  return bytes.readUInt16LE(at + 1) + bytes.readUInt16LE(at + 3) === 0xffff ? at : undefined;
}

/** APPNOTE 4.3.7: a local file header of 30 bytes, a name and an extra field. Method 8 is deflate. */
function zipDataAt(bytes: Buffer, start: number): number | undefined {
  if (start + 30 > bytes.length || bytes.readUInt16LE(start + 8) !== 8) return undefined;
  return start + 30 + bytes.readUInt16LE(start + 26) + bytes.readUInt16LE(start + 28);
}
