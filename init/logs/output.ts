import { write } from 'node:fs';

const SLAB = 262_144;
const SPARE_SLABS = 2;
/** Worth another try: the description is non-blocking, the disk is full for now. */
const PASSING = new Set(['EAGAIN', 'EINTR', 'ENOSPC', 'EDQUOT', 'ENOBUFS', 'ENOMEM']);
const FIRST_RETRY_MS = 1;
const LONGEST_RETRY_MS = 250;

/** A bounded queue of bytes on their way to a file descriptor that may be slow, full or closed. */
export interface Output {
  /** Queues the first `length` characters of a string of one byte a character. Discards them once closed. */
  append(text: string, length: number): void;
  /** Starts writing what is queued, if nothing is being written. To be called after the last `append` of a turn. */
  send(): void;
  /** Bytes that wait. */
  queued(): number;
  /** True from the high-water mark until half of it is drained. The queue takes more even so: it is for the callers to stop. */
  isFull(): boolean;
  /** The errno that closed it for good. */
  closed(): string | undefined;
  /** True when nothing waits any more, or it is closed; false after `ms`. */
  flush(ms: number): Promise<boolean>;
}

/** Where the queue lies; `end` bytes are in use, those before `start` are written. */
interface Slab {
  readonly bytes: Buffer;
  start: number;
  end: number;
}

export interface OutputOptions {
  readonly fd: number;
  /** Bytes; the queue is full from here on. */
  readonly highWater: number;
  /** Called when a full queue has drained to half, or is closed. */
  readonly onDrain: () => void;
}

/**
 * One write(2) at a time, in a thread: the event loop never blocks, and the descriptor's flags, which others share, stay as
 * they are. What is queued meanwhile goes out with the next one, so a busy queue makes large writes and an idle one short ways.
 */
export function createOutput({ fd, highWater, onDrain }: OutputOptions): Output {
  const slabs: Slab[] = [];
  const spare: Slab[] = [];
  const waiting = new Set<() => void>();
  let queued = 0;
  let full = false;
  let writing = false;
  let retryMs = FIRST_RETRY_MS;
  let closed: string | undefined;

  function append(text: string, length: number): void {
    if (closed !== undefined) return;
    let done = 0;
    while (done < length) {
      const slab = slabWithRoom();
      const part = Math.min(SLAB - slab.end, length - done);
      slab.bytes.write(done === 0 ? text : text.slice(done), slab.end, part, 'latin1');
      slab.end += part;
      done += part;
    }
    queued += length;
    if (queued >= highWater) full = true;
  }

  function slabWithRoom(): Slab {
    const last = slabs.at(-1);
    if (last !== undefined && last.end < SLAB) return last;
    const slab = spare.pop() ?? { bytes: Buffer.allocUnsafeSlow(SLAB), start: 0, end: 0 };
    slabs.push(slab);
    return slab;
  }

  function send(): void {
    if (writing || closed !== undefined) return;
    const slab = slabs[0];
    if (slab === undefined || slab.start === slab.end) return;
    writing = true;
    write(fd, slab.bytes, slab.start, slab.end - slab.start, null, (error, written) => {
      if (error === null) wrote(slab, written);
      else failed(error.code ?? error.message);
    });
  }

  function wrote(slab: Slab, written: number): void {
    writing = false;
    retryMs = FIRST_RETRY_MS;
    slab.start += written;
    queued -= written;
    if (slab.start === slab.end) release(slab);
    send();
    settle();
  }

  /** An emptied slab is filled again from its begin, so that an idle init touches little memory. */
  function release(slab: Slab): void {
    slab.start = 0;
    slab.end = 0;
    if (slabs.length === 1) return;
    slabs.shift();
    if (spare.length < SPARE_SLABS) spare.push(slab);
  }

  function failed(errno: string): void {
    if (PASSING.has(errno)) {
      setTimeout(retry, retryMs).unref();
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      return;
    }
    writing = false;
    closed = errno;
    queued = 0;
    slabs.length = 0;
    spare.length = 0;
    settle();
  }

  function retry(): void {
    writing = false;
    send();
  }

  function settle(): void {
    if (full && queued <= highWater / 2) {
      full = false;
      onDrain();
    }
    if (queued > 0) return;
    for (const resolve of waiting) resolve();
    waiting.clear();
  }

  function flush(ms: number): Promise<boolean> {
    if (queued === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const written = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        waiting.delete(written);
        resolve(false);
      }, ms);
      waiting.add(written);
    });
  }

  return {
    append,
    send,
    queued: () => queued,
    isFull: () => full,
    closed: () => closed,
    flush,
  };
}
