import { randomFillSync } from 'node:crypto';
import type { BodyWatch, Refused } from './verdict.ts';

/** What a piece of an agent's stream of frames comes to. */
export type TapStep =
  | { readonly kind: 'pass'; readonly bytes: Buffer }
  /** A frame that no WebSocket client sends, or a message that is too long: `code` is the one to close with (RFC 6455 7.4.1). */
  | { readonly kind: 'fault'; readonly code: 1002 | 1009; readonly reason: string }
  | { readonly kind: 'refuse'; readonly refusal: Refused };

/** Reads frames of the agent's side as they come and shows what they carry to a watch. */
export interface FrameTap {
  push(chunk: Buffer): TapStep;
}

const continuation = 0x0;
const text = 0x1;
const binary = 0x2;
const close = 0x8;
const pong = 0xa;
const longestControl = 125;

interface Frame {
  readonly isFinal: boolean;
  readonly opcode: number;
  readonly mask: Buffer;
  readonly length: number;
}

/**
 * Looks into the frames that an agent sends (RFC 6455 5.2): each message, over all its fragments, through a watch of its own, and each
 * control frame likewise. Frames are written anew with masks of our own, so that nothing the watch did not see goes out; a fragment
 * may become several, since bytes leave as the watch lets go of them. Keeps one control frame at most. Extensions must not have been
 * agreed on: a set RSV bit is a fault.
 */
export function createFrameTap(newWatch: () => BodyWatch, longestMessage: number): FrameTap {
  let pending: Buffer = Buffer.alloc(0);
  let frame: Frame | undefined;
  let taken = 0;
  let message: { readonly watch: BodyWatch; opcode: number; length: number } | undefined;
  let fault: TapStep | undefined;

  return { push };

  function push(chunk: Buffer): TapStep {
    if (fault !== undefined) return fault;
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const out: Buffer[] = [];
    for (;;) {
      const step = frame === undefined ? readHead() : readPayload(frame, out);
      if (step === 'more')
        return { kind: 'pass', bytes: out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out) };
      if (step !== 'on') {
        fault = step;
        return step;
      }
    }
  }

  function readHead(): TapStep | 'more' | 'on' {
    if (pending.length < 2) return 'more';
    const first = pending.readUInt8(0);
    const second = pending.readUInt8(1);
    const opcode = first & 0x0f;
    const isFinal = (first & 0x80) !== 0;
    const isControl = opcode >= close;
    let length = second & 0x7f;
    if ((first & 0x70) !== 0) return wrong('a reserved bit is set');
    if ((second & 0x80) === 0) return wrong('a frame is not masked');
    if (opcode > pong || (opcode > binary && opcode < close)) return wrong('an unknown opcode');
    if (isControl && (!isFinal || length > longestControl)) return wrong('a control frame is fragmented or too long');
    if (!isControl && (opcode === continuation) !== (message !== undefined)) return wrong('a fragment out of place');
    let offset = 2;
    if (length === 126) {
      if (pending.length < 4) return 'more';
      length = pending.readUInt16BE(2);
      offset = 4;
    } else if (length === 127) {
      if (pending.length < 10) return 'more';
      const whole = pending.readBigUInt64BE(2);
      if (whole > BigInt(longestMessage)) return tooLong();
      length = Number(whole);
      offset = 10;
    }
    if (pending.length < offset + 4) return 'more';
    if (!isControl) {
      message ??= { watch: newWatch(), opcode, length: 0 };
      message.length += length;
      if (message.length > longestMessage) return tooLong();
    }
    frame = { isFinal, opcode, mask: Buffer.from(pending.subarray(offset, offset + 4)), length };
    pending = pending.subarray(offset + 4);
    taken = 0;
    return 'on';
  }

  function readPayload(current: Frame, out: Buffer[]): TapStep | 'more' | 'on' {
    if (current.opcode >= close) return readControl(current, out);
    const piece = takePayload(current);
    const isComplete = taken === current.length;
    if (piece.length === 0 && !isComplete) return 'more';
    const opened = message;
    if (opened === undefined) return wrong('a fragment out of place');
    const parts: Buffer[] = [];
    const step = opened.watch.push(piece);
    if (step.kind === 'refuse') return step;
    parts.push(step.bytes);
    const isEnd = isComplete && current.isFinal;
    if (isEnd) {
      const last = opened.watch.end();
      if (last.kind === 'refuse') return last;
      parts.push(last.bytes);
    }
    const bytes = Buffer.concat(parts);
    if (bytes.length > 0 || isEnd) {
      out.push(maskedFrame(isEnd, opened.opcode, bytes));
      opened.opcode = continuation;
    }
    if (isEnd) message = undefined;
    if (isComplete) frame = undefined;
    return isComplete ? 'on' : 'more';
  }

  function readControl(current: Frame, out: Buffer[]): TapStep | 'more' | 'on' {
    if (pending.length < current.length) return 'more';
    const payload = takePayload(current);
    const watch = newWatch();
    const parts: Buffer[] = [];
    for (const step of [watch.push(payload), watch.end()]) {
      if (step.kind === 'refuse') return step;
      parts.push(step.bytes);
    }
    out.push(maskedFrame(true, current.opcode, Buffer.concat(parts)));
    frame = undefined;
    return 'on';
  }

  /** What is there of the payload, unmasked, in a buffer of its own. */
  function takePayload({ mask, length }: Frame): Buffer {
    const count = Math.min(pending.length, length - taken);
    const bytes = Buffer.from(pending.subarray(0, count));
    applyMask(bytes, mask, taken);
    pending = pending.subarray(count);
    taken += count;
    return bytes;
  }

  function wrong(reason: string): TapStep {
    return { kind: 'fault', code: 1002, reason };
  }

  function tooLong(): TapStep {
    return { kind: 'fault', code: 1009, reason: `a message is longer than ${longestMessage} bytes` };
  }
}

/** A frame as a client sends it: masked with a key that nobody chose (RFC 6455 5.3, 10.3). */
export function maskedFrame(isFinal: boolean, opcode: number, payload: Buffer): Buffer {
  const frame = frameHead(isFinal, opcode, payload.length, 4);
  const mask = randomFillSync(Buffer.alloc(4));
  mask.copy(frame.bytes, frame.offset);
  payload.copy(frame.bytes, frame.offset + 4);
  applyMask(frame.bytes.subarray(frame.offset + 4), mask, 0);
  frame.bytes[1] = (frame.bytes[1] ?? 0) | 0x80;
  return frame.bytes;
}

/** A close frame as a server sends it; the reason is cut to what a control frame holds. */
export function closeFrame(code: number, reason: string): Buffer {
  const payload = closePayload(code, reason);
  const frame = frameHead(true, close, payload.length, 0);
  payload.copy(frame.bytes, frame.offset);
  return frame.bytes;
}

/** A close frame as a client sends it. */
export function maskedCloseFrame(code: number): Buffer {
  return maskedFrame(true, close, closePayload(code, ''));
}

function closePayload(code: number, reason: string): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  // Cut at a character: what is left of one that was cut in two is not UTF-8.
  const told = Buffer.from(reason)
    .subarray(0, longestControl - 2)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
  return Buffer.concat([payload, Buffer.from(told)]);
}

function frameHead(
  isFinal: boolean,
  opcode: number,
  length: number,
  maskLength: number,
): { bytes: Buffer; offset: number } {
  const offset = length < 126 ? 2 : length < 0x10000 ? 4 : 10;
  const bytes = Buffer.alloc(offset + maskLength + length);
  bytes[0] = (isFinal ? 0x80 : 0) | opcode;
  if (offset === 2) bytes[1] = length;
  else if (offset === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  return { bytes, offset };
}

function applyMask(bytes: Buffer, mask: Buffer, from: number): void {
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = (bytes[i] ?? 0) ^ (mask[(from + i) & 3] ?? 0);
}

/** Opcodes of messages, for those who speak of them. */
export const opcodes = { continuation, text, binary, close } as const;
