import type { Stream } from './logs.ts';

const NEWLINE = 10;
/** Order (8 bytes), time (8 bytes), length with the stream in its highest bit (4 bytes). */
const HEADER = 20;
const STDERR = 0x8000_0000;
const FIRST_SIZE = 4096;

/** Whole lines of one stream that arrived together. */
export interface RingBlock {
  /** Rises with every block of any daemon. */
  readonly order: number;
  /** Wall time, ms since the epoch. */
  readonly time: number;
  readonly stream: Stream;
  /** Whole lines, each with its newline. A copy. */
  readonly bytes: Buffer;
}

/** The latest output of a daemon, in a bounded number of bytes. */
export interface Ring {
  readonly limit: number;
  /** Keeps a block of whole lines; the oldest lines make room. A last line that does not fit leaves nothing kept. */
  push(order: number, time: number, stream: Stream, block: Buffer): void;
  /** All blocks, oldest first. */
  blocks(): RingBlock[];
}

/**
 * A circular buffer with the blocks' headers in it: a block costs one copy and 20 bytes, no object. It starts small and
 * grows up to `limit` bytes, headers included.
 */
export function createRing(limit: number): Ring {
  const header = Buffer.alloc(HEADER);
  let store = Buffer.alloc(0);
  let first = 0;
  let used = 0;

  function push(order: number, time: number, stream: Stream, block: Buffer): void {
    const kept = newestLines(block, limit - HEADER);
    if (kept.length === 0) {
      used = 0;
      return;
    }
    makeRoom(HEADER + kept.length);
    writeHeader(used, order, time, kept.length + (stream === 'stderr' ? STDERR : 0));
    copyIn(used + HEADER, kept);
    used += HEADER + kept.length;
  }

  function blocks(): RingBlock[] {
    const all: RingBlock[] = [];
    let at = 0;
    while (at < used) {
      const { order, time, stream, length } = readHeader(at);
      const bytes = Buffer.allocUnsafe(length);
      copyOut(at + HEADER, bytes);
      all.push({ order, time, stream, bytes });
      at += HEADER + length;
    }
    return all;
  }

  function makeRoom(needed: number): void {
    if (used + needed > store.length && store.length < limit) grow(used + needed);
    while (used + needed > store.length) dropOldest(used + needed - store.length);
  }

  function grow(wanted: number): void {
    const size = Math.min(limit, Math.max(FIRST_SIZE, 2 ** Math.ceil(Math.log2(wanted))));
    const larger = Buffer.allocUnsafeSlow(size);
    copyOut(0, larger.subarray(0, used));
    store = larger;
    first = 0;
  }

  /** Drops the oldest block, or where that frees more than `wanted` bytes, as many of its lines as needed. */
  function dropOldest(wanted: number): void {
    const { order, time, stream, length } = readHeader(0);
    let dropped = wanted;
    while (dropped < length && store[(first + HEADER + dropped - 1) % store.length] !== NEWLINE) dropped += 1;
    if (dropped >= length) dropped = HEADER + length;
    else writeHeader(dropped, order, time, length - dropped + (stream === 'stderr' ? STDERR : 0));
    first = (first + dropped) % store.length;
    used -= dropped;
  }

  function readHeader(at: number): { order: number; time: number; stream: Stream; length: number } {
    copyOut(at, header);
    const length = header.readUInt32LE(16);
    return {
      order: header.readDoubleLE(0),
      time: header.readDoubleLE(8),
      stream: length >= STDERR ? 'stderr' : 'stdout',
      length: length % STDERR,
    };
  }

  function writeHeader(at: number, order: number, time: number, length: number): void {
    header.writeDoubleLE(order, 0);
    header.writeDoubleLE(time, 8);
    header.writeUInt32LE(length, 16);
    copyIn(at, header);
  }

  function copyIn(at: number, bytes: Buffer): void {
    const position = (first + at) % store.length;
    const copied = bytes.copy(store, position);
    if (copied < bytes.length) bytes.copy(store, 0, copied);
  }

  function copyOut(at: number, into: Buffer): void {
    if (store.length === 0) return;
    const position = (first + at) % store.length;
    const copied = store.copy(into, 0, position);
    if (copied < into.length) store.copy(into, copied, 0, into.length - copied);
  }

  return { limit, push, blocks };
}

function newestLines(block: Buffer, room: number): Buffer {
  if (block.length <= room) return block;
  if (room <= 0) return block.subarray(block.length);
  const start = block.indexOf(NEWLINE, block.length - room - 1) + 1;
  return block.subarray(start);
}
