import type { BundleStatus, DaemonStatus, HistoryEntry } from '../status.ts';
import type { Answer, Init } from './init.ts';

/** Commands that have a state to wait for. */
export type Wanted = 'start' | 'stop' | 'restart';

/** What became of a command that was waited for. */
export type Outcome =
  | { readonly kind: 'refused'; readonly answer: Answer }
  | { readonly kind: 'accepted' | 'reached'; readonly answer: Answer; readonly daemon: DaemonStatus | undefined }
  | { readonly kind: 'failed' | 'not-in-time' | 'left'; readonly daemon: DaemonStatus | undefined };

/** What is known of a daemon on its way, from its history since the command. */
interface Progress {
  readonly state: DaemonStatus['state'];
  readonly ready: boolean;
  /** It has been in a state other than running: what runs now was started by the command. */
  readonly moved: boolean;
}

/**
 * Does `send` and waits until the daemon has reached what was wanted: ready or completed after a start or restart, not
 * alive after a stop. It has failed when it is given up, stopped by someone else, or waits for its next try. `wait` in ms;
 * 0 answers as soon as the policy has judged the command.
 */
export async function reach(
  init: Init,
  daemon: string,
  wanted: Wanted,
  wait: number,
  left: AbortSignal,
  send: () => Promise<Answer>,
): Promise<Outcome> {
  const seen: HistoryEntry[] = [];
  let wake = (): void => {};
  const unsubscribe = init.onHistory((entry) => {
    if (entry.daemon !== daemon || entry.type !== 'changed') return;
    seen.push(entry);
    wake();
  });
  const deadline = AbortSignal.any([left, AbortSignal.timeout(wait)]);
  try {
    const answer = await send();
    if (!answer.accepted) return { kind: 'refused', answer };
    if (wait === 0) return { kind: 'accepted', answer, daemon: find(init.status(), daemon) };
    deadline.addEventListener('abort', () => wake());

    let progress = begin(find(init.status(), daemon), seen.splice(0));
    for (;;) {
      for (const entry of seen.splice(0)) progress = after(progress, entry);
      const verdict = judge(wanted, progress);
      if (verdict === 'reached') return { kind: 'reached', answer, daemon: find(init.status(), daemon) };
      if (verdict === 'failed' && !(await passesOn(seen)))
        return { kind: 'failed', daemon: find(init.status(), daemon) };
      if (left.aborted) return { kind: 'left', daemon: undefined };
      if (deadline.aborted) return { kind: 'not-in-time', daemon: find(init.status(), daemon) };
      if (seen.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unsubscribe();
  }
}

function find(status: BundleStatus, name: string): DaemonStatus | undefined {
  return status.daemons.find((daemon) => daemon.name === name);
}

function begin(status: DaemonStatus | undefined, seen: readonly HistoryEntry[]): Progress {
  const state = status?.state ?? 'stopped';
  return {
    state,
    ready: status?.ready ?? false,
    moved: state !== 'running' || seen.some((entry) => entry.to !== 'running'),
  };
}

function after(progress: Progress, entry: HistoryEntry): Progress {
  const state = entry.to ?? progress.state;
  return { state, ready: entry.ready ?? false, moved: progress.moved || state !== 'running' };
}

function judge(wanted: Wanted, { state, ready, moved }: Progress): 'reached' | 'failed' | 'under way' {
  const ended = state === 'stopped' || state === 'completed' || state === 'failed';
  if (wanted === 'stop') return ended ? 'reached' : 'under way';
  if (wanted === 'restart' && !moved) return 'under way';
  if ((state === 'running' && ready) || state === 'completed') return 'reached';
  return ended || state === 'backoff' ? 'failed' : 'under way';
}

/** A daemon may pass through `stopped` or `backoff` on its way within one turn of the init's loop. */
async function passesOn(seen: readonly HistoryEntry[]): Promise<boolean> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  return seen.length > 0;
}
