import type { Desk } from '../queue/desk.ts';
import { isAnswered } from '../queue/state.ts';

export interface Waiting {
  readonly desk: Desk;
  readonly id: string;
  /** How long at most, in milliseconds. */
  readonly atMost: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Called every {@link PROGRESS_EVERY_MS} with the seconds that have passed. */
  readonly onProgress?: (seconds: number) => void;
}

/** So often a client that asked for it hears that the call still waits. */
export const PROGRESS_EVERY_MS = 10_000;

/** Waits until a proposal is answered, the time is over, or the signal comes. */
export async function waitForAnswer({ desk, id, atMost, signal, onProgress }: Waiting): Promise<void> {
  const isOver = (): boolean => {
    const proposal = desk.find(id)?.proposal;
    return proposal === undefined || isAnswered(proposal);
  };
  if (atMost <= 0 || signal.aborted || isOver()) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => resolve();
  const unsubscribe = desk.subscribe((proposal) => {
    if (proposal.id === id && isOver()) resolve();
  });
  const timer = setTimeout(end, atMost);
  const begun = Date.now();
  const progress = setInterval(() => onProgress?.(Math.round((Date.now() - begun) / 1000)), PROGRESS_EVERY_MS);
  signal.addEventListener('abort', end, { once: true });
  await promise;
  signal.removeEventListener('abort', end);
  clearInterval(progress);
  clearTimeout(timer);
  unsubscribe();
}
