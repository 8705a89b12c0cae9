import type { Inbox } from './inbox.ts';
import { cutLongLine, type LinePieces } from './long-line.ts';
import type { Mask } from './mask.ts';

const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);
const NEWLINE_BYTES = Buffer.from('\n');
const SMALLEST_HOLD = 512;
/** A stream that waits for output holds no more memory than this. */
const LARGEST_IDLE_HOLD = 4096;

/** Makes whole lines of one stream's chunks. */
export interface Framer {
  /**
   * Takes the first `length` bytes of the inbox's area. Returns all lines that are whole now, each with its newline, or
   * undefined. The result is good until the next read into the inbox.
   */
  push(length: number): Buffer | undefined;
  /** The stream has ended: returns a last line that had no newline, with one added, or undefined. */
  end(): Buffer | undefined;
}

/**
 * Works on all lines of a chunk at once: the usual chunk is searched for its last newline, checked for long lines in
 * steps of `maxLine`, and not looked at otherwise.
 */
export function createFramer(maxLine: number, inbox: Inbox, mask: () => Mask): Framer {
  let held = NOTHING;
  let heldLength = 0;

  function push(length: number): Buffer | undefined {
    const chunk = inbox.area.subarray(0, length);
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      hold(chunk, 0);
      return cutHeld();
    }
    const whole = heldLength === 0 ? chunk.subarray(0, end) : inbox.join(held, heldLength, end);
    heldLength = 0;
    hold(chunk, end);
    const lines = hasLongLine(whole, maxLine) ? cutLines(whole, maxLine, mask()) : whole;
    const more = cutHeld();
    return more === undefined ? lines : Buffer.concat([lines, more]);
  }

  function end(): Buffer | undefined {
    if (heldLength === 0) return undefined;
    const line = Buffer.concat([held.subarray(0, heldLength), NEWLINE_BYTES]);
    heldLength = 0;
    held = NOTHING;
    return hasLongLine(line, maxLine) ? cutLines(line, maxLine, mask()) : line;
  }

  function hold(chunk: Buffer, from: number): void {
    const needed = heldLength + chunk.length - from;
    if (needed === 0) {
      if (held.length > LARGEST_IDLE_HOLD) held = NOTHING;
      return;
    }
    if (needed > held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(SMALLEST_HOLD, 2 ** Math.ceil(Math.log2(needed))));
      held.copy(larger, 0, 0, heldLength);
      held = larger;
    }
    chunk.copy(held, heldLength, from);
    heldLength = needed;
  }

  function cutHeld(): Buffer | undefined {
    if (heldLength <= maxLine) return undefined;
    const { pieces, rest } = cutLongLine(held.subarray(0, heldLength), false, maxLine, mask());
    if (pieces.length === 0) return undefined;
    const lines = toLines(pieces);
    held.copyWithin(0, rest, heldLength);
    heldLength -= rest;
    return lines;
  }

  return { push, end };
}

function hasLongLine(lines: Buffer, maxLine: number): boolean {
  let start = 0;
  while (lines.length - start > maxLine + 1) {
    const newline = lines.lastIndexOf(NEWLINE, start + maxLine);
    if (newline < start) return true;
    start = newline + 1;
  }
  return false;
}

function cutLines(lines: Buffer, maxLine: number, mask: Mask): Buffer {
  const done: Buffer[] = [];
  let start = 0;
  while (start < lines.length) {
    const newline = lines.indexOf(NEWLINE, start);
    if (newline - start <= maxLine) done.push(lines.subarray(start, newline + 1));
    else done.push(toLines(cutLongLine(lines.subarray(start, newline), true, maxLine, mask).pieces));
    start = newline + 1;
  }
  return Buffer.concat(done);
}

function toLines(pieces: LinePieces['pieces']): Buffer {
  return Buffer.concat(pieces.flatMap((piece) => [piece, NEWLINE_BYTES]));
}
