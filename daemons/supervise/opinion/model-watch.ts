import type { SidecarLlmClient } from '../../model/client.ts';
import { SidecarLlmError } from '../../model/fault.ts';

/** `starting`: it has not answered yet, which can take it many minutes. `away`: it did once. */
export type ModelState = 'starting' | 'ready' | 'away';

/** Whether the model server answers. Nothing waits for it, and nothing is unhealthy without it. */
export interface ModelWatch {
  readonly state: ModelState;
  close(): Promise<void>;
}

export interface ModelWatchOptions {
  readonly client: SidecarLlmClient;
  /** Told of each change; `models` are the names that the server has, while it is ready. */
  readonly onChange: (state: ModelState, models: readonly string[]) => void;
}

/** Between two looks, and for one. */
const EVERY_MS = 5_000;
const LOOK_MS = 3_000;

export function watchModel({ client, onChange }: ModelWatchOptions): ModelWatch {
  const ending = new AbortController();
  let state: ModelState = 'starting';
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const models = await client.models({ deadline_ms: LOOK_MS, signal: ending.signal }).catch((error: unknown) => {
      if (error instanceof SidecarLlmError) return undefined;
      throw error;
    });
    if (ending.signal.aborted) return;
    const next = models === undefined ? (state === 'ready' ? 'away' : state) : 'ready';
    if (next === state) return;
    state = next;
    onChange(state, models ?? []);
  }

  function run(): void {
    looking ??= look().finally(() => {
      looking = undefined;
    });
  }

  const timer = setInterval(run, EVERY_MS);
  run();
  return {
    get state() {
      return state;
    },
    async close() {
      clearInterval(timer);
      ending.abort();
      await looking;
    },
  };
}
