import { afterCrash, afterFailure, type Backoff, NO_FAILURE, STEADY_MS, waitOf } from '../tools/backoff.ts';
import { describeEnd, StartError } from '../tools/process.ts';
import type { ToolState } from '../tools/state.ts';
import type { StartTool } from './connection.ts';

/** Starts processes of one tool, with waits after failures, and knows how it does. */
export interface Starter {
  readonly start: StartTool;
  state(): ToolState;
  /** How often a process was started because one before it had failed. */
  restarts(): number;
  /** It ran and was of no use (it hung): counts as a failure. */
  noteFailure(reason: string): void;
}

/** Who calls waits no longer than this for a tool that crashed lately. Milliseconds. */
const LONGEST_CALLER_WAIT_MS = 2000;

/** `onRestart` is called with each start after a failure. */
export function createStarter(startProcess: StartTool, onRestart: () => void, clock: () => number = Date.now): Starter {
  let processes = 0;
  let restarts = 0;
  let backoff: Backoff = NO_FAILURE;

  const start: StartTool = async (handlers) => {
    await waitForTurn();
    const started = clock();
    if (backoff.failures > 0) {
      restarts += 1;
      onRestart();
    }
    try {
      const process = await startProcess(handlers);
      processes += 1;
      const steady = setTimeout(() => {
        backoff = NO_FAILURE;
      }, STEADY_MS);
      steady.unref();
      void process.ended.then((end) => {
        clearTimeout(steady);
        processes -= 1;
        if (!end.asked) backoff = afterCrash(backoff, `it ${describeEnd(end)}`, clock() - started, clock());
      });
      return process;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      backoff = afterFailure(backoff, reason, clock(), error instanceof StartError && error.permanent);
      throw error;
    }
  };

  async function waitForTurn(): Promise<void> {
    const wait = waitOf(backoff, clock());
    if (wait > LONGEST_CALLER_WAIT_MS) {
      const seconds = Math.ceil(wait / 1000);
      throw new Error(`it keeps failing (${backoff.failing?.reason ?? 'it ends'}); it is tried again in ${seconds} s`);
    }
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }

  return {
    start,
    state() {
      if (processes > 0) return { kind: 'running', processes };
      return backoff.failing === undefined ? { kind: 'idle' } : { kind: 'failing', ...backoff.failing };
    },
    restarts: () => restarts,
    noteFailure(reason) {
      backoff = afterFailure(backoff, reason, clock());
    },
  };
}
