/** Ends what an acquired lock or place stands for. Calling it twice does nothing more. */
export type Release = () => void;

/** One at a time, in the order of asking. */
export interface Mutex {
  /** Undefined where it did not come free within `timeout` ms, or `signal` came first. */
  acquire(timeout: number, signal?: AbortSignal): Promise<Release | undefined>;
}

export function createMutex(): Mutex {
  return createPlaces(() => 1);
}

/** As many at a time as `most` says when somebody asks, in the order of asking. */
export function createPlaces(most: () => number): Mutex {
  let taken = 0;
  const waiting = new Set<() => void>();

  function take(): Release {
    taken += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      taken -= 1;
      for (const wake of waiting) {
        if (taken >= most()) return;
        wake();
      }
    };
  }

  return {
    acquire(timeout, signal) {
      if (signal?.aborted === true) return Promise.resolve(undefined);
      if (taken < most() && waiting.size === 0) return Promise.resolve(take());
      return new Promise((resolve) => {
        const settle = (release: Release | undefined): void => {
          waiting.delete(wake);
          clearTimeout(timer);
          signal?.removeEventListener('abort', giveUp);
          resolve(release);
        };
        const wake = () => settle(take());
        const giveUp = () => settle(undefined);
        const timer = setTimeout(giveUp, timeout);
        signal?.addEventListener('abort', giveUp);
        waiting.add(wake);
      });
    },
  };
}
