import type { Status } from '../lifecycle/state.ts';

/** What a daemon in this state does, to stand behind its name in a sentence. */
export const STATE_WORDS: Readonly<Record<Status, string>> = {
  pending: 'waits to be started',
  starting: 'is starting',
  running: 'is running',
  stopping: 'is stopping',
  stopped: 'is stopped',
  backoff: 'is in backoff',
  completed: 'has completed',
  failed: 'has failed',
};
