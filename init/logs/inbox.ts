const AREA = 131_072;
const HEADROOM = 65_536;

/** Where all pipes are read into, one after another: the content is good until the next read. */
export interface Inbox {
  /** The next read goes here. */
  readonly area: Buffer;
  /** The first `heldLength` bytes of `held` followed by the first `length` bytes of the area, in one piece. */
  join(held: Buffer, heldLength: number, length: number): Buffer;
}

/**
 * One buffer for all pipes, so that a thousand of them cost no memory. In front of the area is room for the part of a line
 * that an earlier read left over: joining the two copies the part and never the area.
 */
export function createInbox(): Inbox {
  const buffer = Buffer.allocUnsafeSlow(HEADROOM + AREA);
  const area = buffer.subarray(HEADROOM);

  function join(held: Buffer, heldLength: number, length: number): Buffer {
    if (heldLength > HEADROOM) return Buffer.concat([held.subarray(0, heldLength), area.subarray(0, length)]);
    held.copy(buffer, HEADROOM - heldLength, 0, heldLength);
    return buffer.subarray(HEADROOM - heldLength, HEADROOM + length);
  }

  return { area, join };
}
