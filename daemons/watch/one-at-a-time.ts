/** A chore that never runs twice at once. */
export interface OneAtATime {
  /** Runs it; asked for while it runs, once more afterwards. */
  readonly run: () => void;
  /** Resolves when it does not run. */
  readonly done: () => Promise<void>;
}

/** `chore` must not reject. */
export function oneAtATime(chore: () => Promise<void>): OneAtATime {
  let running: Promise<void> | undefined;
  let isWanted = false;
  async function work(): Promise<void> {
    while (isWanted) {
      isWanted = false;
      await chore();
    }
    running = undefined;
  }
  return {
    run: () => {
      isWanted = true;
      running ??= work();
    },
    done: async () => {
      await running;
    },
  };
}
