import { setTimeout as pause } from 'node:timers/promises';
import { SidecarLlmError } from './fault.ts';

/** The first pause between two attempts, doubled each time up to the longest. Each is up to a fifth longer or shorter, so that many who wait do not come at once. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;
const JITTER = 0.2;

/** The other side cannot be asked yet, and may be soon. */
export class NotYet extends Error {
  /** How long it wants to be left alone. */
  readonly retryAfter_ms: number;

  constructor(reason: string, retryAfter_ms = 0) {
    super(reason);
    this.retryAfter_ms = retryAfter_ms;
  }
}

/** The time of one call, from its beginning until it is given up. */
export interface Patience {
  /** Aborted at the deadline, and by the caller. */
  readonly signal: AbortSignal;
  /** Tries until it does, or the time is over. Only {@link NotYet} is tried again. */
  untilDone<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** What an error of this call is to the caller. */
  faultOf(error: unknown): unknown;
}

/** The longest that a timer can wait: some 25 days. */
const LONGEST_DEADLINE_MS = 2 ** 31 - 1;

export function startPatience(wanted_ms: number, caller: AbortSignal | undefined): Patience {
  const deadline_ms = Math.min(wanted_ms, LONGEST_DEADLINE_MS);
  const begun = performance.now();
  const deadline = AbortSignal.timeout(deadline_ms);
  const signal = caller === undefined ? deadline : AbortSignal.any([deadline, caller]);

  function faultOf(error: unknown): unknown {
    if (caller?.aborted === true) return new SidecarLlmError({ kind: 'cancelled' });
    return deadline.aborted ? new SidecarLlmError({ kind: 'timeout', deadline_ms }) : error;
  }

  async function untilDone<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let attempts = 1; ; attempts++) {
      try {
        signal.throwIfAborted();
        return await attempt(signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof NotYet)) throw faultOf(error);
        const wait = Math.max(error.retryAfter_ms, pauseBefore(attempts));
        // Who has no time for another attempt is told now rather than at the deadline.
        if (wait >= deadline_ms - (performance.now() - begun)) {
          throw new SidecarLlmError({ kind: 'unavailable', attempts, last: error.message });
        }
        await pause(wait, undefined, { signal }).catch((aborted: unknown) => {
          throw faultOf(aborted);
        });
      }
    }
  }

  return { signal, untilDone, faultOf };
}

function pauseBefore(attempts: number): number {
  const pause_ms = Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), LONGEST_PAUSE_MS);
  return pause_ms * (1 - JITTER + 2 * JITTER * Math.random());
}
