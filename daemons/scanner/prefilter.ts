/** A word that is worth a closer look, and what it is looked for. */
export interface Keyword<T> {
  /** At least 4 ASCII characters. */
  readonly word: string;
  readonly for: T;
}

/** Finds keywords in bytes, whether in upper or lower case. */
export type Prefilter<T> = (bytes: Uint8Array, visit: (start: number, found: T) => void) => void;

/** Keywords are told apart by this many characters at first. */
const GRAM = 4;

/** The table has one bit for each of 2^18 slots, 32 KiB in all: few grams share a slot, and it stays in the cache. */
const SLOT_BITS = 18;

/** How many grams are looked up before keywords are compared: the hot loop calls nothing. */
const BLOCK = 16_384;

/**
 * One pass over the bytes whatever the number of keywords: the last four bytes are looked up in a small table, and only where that
 * says so, keywords are compared. Setting bit 5 of each byte makes letters lower case; it also lets some signs pass for others, so what
 * is found may be none, but nothing is missed.
 */
export function createPrefilter<T>(keywords: readonly Keyword<T>[]): Prefilter<T> {
  const table = new Uint8Array(1 << (SLOT_BITS - 3));
  const byGram = new Map<number, { rest: Uint8Array; for: T }[]>();
  for (const { word, for: target } of keywords) {
    const folded = Buffer.from(word, 'latin1').map(fold);
    if (folded.length < GRAM) throw new Error(`a keyword needs ${GRAM} characters: ${word}`);
    const gram = folded.subarray(0, GRAM).reduce((value, byte) => (value << 8) | byte, 0);
    const slot = slotOf(gram);
    table[slot >>> 3] = (table[slot >>> 3] ?? 0) | (1 << (slot & 7));
    const entries = byGram.get(gram) ?? [];
    entries.push({ rest: folded.subarray(GRAM), for: target });
    byGram.set(gram, entries);
  }

  return (bytes, visit) => {
    const ends = new Uint32Array(Math.min(BLOCK, bytes.length));
    const grams = new Int32Array(ends.length);
    let gram = 0;
    for (let from = 0; from < bytes.length; from += BLOCK) {
      const to = Math.min(bytes.length, from + BLOCK);
      const count = sweep(bytes, from, to, gram, table, ends, grams);
      for (let i = to - GRAM; i < to; i++) gram = (gram << 8) | fold(bytes[i] ?? 0);
      for (let i = 0; i < count; i++) {
        const after = (ends[i] ?? 0) + 1;
        for (const entry of byGram.get(grams[i] ?? 0) ?? []) {
          if (continues(bytes, after, entry.rest)) visit(after - GRAM, entry.for);
        }
      }
    }
  };
}

/** Notes where a gram ends that the table knows, and returns how many there are. */
function sweep(
  bytes: Uint8Array,
  from: number,
  to: number,
  before: number,
  table: Uint8Array,
  ends: Uint32Array,
  grams: Int32Array,
): number {
  let gram = before;
  let count = 0;
  for (let i = from; i < to; i++) {
    gram = (gram << 8) | fold(bytes[i] ?? 0);
    const slot = slotOf(gram);
    if ((((table[slot >>> 3] ?? 0) >>> (slot & 7)) & 1) === 1) {
      ends[count] = i;
      grams[count] = gram;
      count++;
    }
  }
  return count;
}

function continues(bytes: Uint8Array, start: number, rest: Uint8Array): boolean {
  if (start + rest.length > bytes.length) return false;
  for (let i = 0; i < rest.length; i++) if (fold(bytes[start + i] ?? 0) !== rest[i]) return false;
  return true;
}

function fold(byte: number): number {
  return byte | 0x20;
}

/** Multiplicative hashing (Knuth): the upper bits. */
function slotOf(gram: number): number {
  return Math.imul(gram, 0x9e3779b1) >>> (32 - SLOT_BITS);
}

/** Keywords for a prefix of three characters: with each letter, digit, hyphen and underscore that can follow it. */
export function withAnyNext(prefix: string): readonly string[] {
  return [...'abcdefghijklmnopqrstuvwxyz0123456789-_'].map((next) => `${prefix}${next}`);
}
