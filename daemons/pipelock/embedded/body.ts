import type { IncomingMessage } from 'node:http';

/** A body that was read to its end, or why it was not. */
export type ReadBody =
  | { readonly ok: true; readonly body: Buffer }
  | { readonly ok: false; readonly why: 'too-long' | 'too-slow' | 'no-memory' | 'aborted' };

/** Bytes that bodies may hold in memory together. */
export interface Budget {
  /** False where there is no room; nothing is taken then. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

export function createBudget(most: number): Budget {
  let taken = 0;
  return {
    take(bytes) {
      if (taken + bytes > most) return false;
      taken += bytes;
      return true;
    },
    give(bytes) {
      taken -= bytes;
    },
  };
}

/** So many pieces become one: each has a price of its own, which for pieces of a few bytes is a hundred times theirs. */
const MOST_PIECES = 1024;

/** How long nothing of a body may come. */
const SILENCE_MS = 60_000;

/** How long a body may be, and how long it may take in all. */
export interface BodyBounds {
  readonly bytes: number;
  readonly ms: number;
}

/**
 * Reads a body within its bounds. What it took of the budget is the caller's to give back: `body.length` where it
 * succeeded, nothing otherwise. Never rejects.
 */
export function readBody(request: IncomingMessage, bounds: BodyBounds, budget: Budget): Promise<ReadBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let latest: Buffer[] = [];
    let length = 0;
    let taken = 0;
    const late = setTimeout(() => end({ ok: false, why: 'too-slow' }), bounds.ms);
    const timer = setTimeout(() => end({ ok: false, why: 'too-slow' }), SILENCE_MS);

    function end(result: ReadBody): void {
      clearTimeout(timer);
      clearTimeout(late);
      request.off('data', take).off('end', finish).off('close', abort).off('error', abort);
      request.on('error', () => {});
      if (!result.ok) {
        budget.give(taken);
        request.pause();
      }
      resolve(result);
    }

    function take(chunk: Buffer): void {
      timer.refresh();
      length += chunk.length;
      if (length > bounds.bytes) end({ ok: false, why: 'too-long' });
      else if (!budget.take(chunk.length)) end({ ok: false, why: 'no-memory' });
      else {
        taken += chunk.length;
        latest.push(chunk);
        if (latest.length === MOST_PIECES) join();
      }
    }

    function join(): void {
      chunks.push(Buffer.concat(latest));
      latest = [];
    }

    function finish(): void {
      const whole = () => Buffer.concat([...chunks, ...latest], length);
      end(request.complete ? { ok: true, body: whole() } : { ok: false, why: 'aborted' });
    }

    function abort(): void {
      end({ ok: false, why: 'aborted' });
    }

    request.on('data', take).on('end', finish).on('close', abort).on('error', abort);
  });
}
