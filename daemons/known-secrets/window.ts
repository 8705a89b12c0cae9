/** How many values a window's hash can have. Few, on purpose: each bit that is written down is one less to guess. */
const HASHES = 65_536;

/** Odd, so that no byte of the window is lost modulo 2^32 before the upper half is taken. */
const FACTOR = 0x9e3779b1;

/** Marks the hashes that are looked for. */
export type HashTable = Uint8Array;

/** A table in which `hashes` are marked. */
export function hashTable(hashes: Iterable<number>): HashTable {
  const table = new Uint8Array(HASHES);
  for (const hash of hashes) table[hash] = 1;
  return table;
}

/** The hash of the first `length` bytes: 16 bits. */
export function windowHash(bytes: Uint8Array, length: number): number {
  let hash = 0;
  for (const byte of bytes.subarray(0, length)) hash = (Math.imul(hash, FACTOR) + byte) | 0;
  return hash >>> 16;
}

/** Windows of one length, whose marked hashes are looked for. */
export interface WindowSearch {
  /** In bytes. */
  readonly length: number;
  readonly table: HashTable;
}

/** How many windows are hashed before those that were marked are visited: the hot loop calls nothing. */
const BLOCK = 16_384;

/** Where the marked windows of one block are noted. One for all calls, since a call is over before the next one begins. */
const starts = new Uint32Array(BLOCK);
const hashes = new Uint16Array(BLOCK);

/**
 * Calls `visit` for each place of `bytes` at which a window has a marked hash. One pass with a rolling polynomial hash
 * (Rabin and Karp), whatever the number of secrets. `visit` must not search itself.
 */
export function eachCandidate(
  bytes: Uint8Array,
  { length, table }: WindowSearch,
  visit: (start: number, hash: number) => void,
): void {
  if (bytes.length < length) return;
  let leaving = 1;
  for (let i = 1; i < length; i++) leaving = Math.imul(leaving, FACTOR);
  const roll = { hash: 0, leaving };
  for (let i = 0; i < length - 1; i++) roll.hash = (Math.imul(roll.hash, FACTOR) + (bytes[i] ?? 0)) | 0;
  for (let from = length - 1; from < bytes.length; from += BLOCK) {
    const to = Math.min(bytes.length, from + BLOCK);
    const count = sweep(bytes, from, to, length, table, roll);
    for (let i = 0; i < count; i++) visit(starts[i] ?? 0, hashes[i] ?? 0);
  }
}

/** Hashes the windows that end at `from` to `to`, notes the marked ones, and returns how many these are. */
function sweep(
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  table: HashTable,
  roll: { hash: number; readonly leaving: number },
): number {
  const leaving = roll.leaving;
  let hash = roll.hash;
  let count = 0;
  for (let i = from; i < to; i++) {
    hash = (Math.imul(hash, FACTOR) + (bytes[i] ?? 0)) | 0;
    if (table[hash >>> 16] === 1) {
      starts[count] = i - length + 1;
      hashes[count] = hash >>> 16;
      count++;
    }
    hash = (hash - Math.imul(bytes[i - length + 1] ?? 0, leaving)) | 0;
  }
  roll.hash = hash;
  return count;
}
