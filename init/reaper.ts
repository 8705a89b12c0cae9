import type { Exit } from './lifecycle/event.ts';
import { collect, peekDeadChild } from './posix/wait.ts';

/** Longest delay that setInterval takes, in ms: the timer is there to keep the process alive, not to fire. */
const NEVER = 2 ** 31 - 1;

/** Collects the dead children of this process: those that it started, and the orphans that it inherits. */
export interface Reaper {
  /**
   * Calls back once, when this child has ended. To be called in the turn of the loop in which the child was started: no
   * pass comes in between, so a child that is dead already is not missed. Keeps the process alive as long as it waits.
   */
  watch(pid: number, callback: (exit: Exit) => void): void;
  /** A child that Node's child_process has started and waits for itself; until the returned function is called. */
  leaveAlone(pid: number): () => void;
  /** One pass over all dead children. Comes by itself after each SIGCHLD. */
  reap(): void;
  /**
   * Calls back at the end of each pass that collected a process, after the callbacks of `watch`. Returns the way to
   * stop it.
   */
  onPass(listener: () => void): () => void;
  /** Collects no more. */
  close(): void;
}

export interface ReaperOptions {
  /** Called for each orphan collected. */
  readonly onOrphan?: (pid: number, exit: Exit) => void;
}

/**
 * The only place that waits for children. It never waits for just any child, which would steal exit codes from Node: it
 * looks which child is dead without collecting it, then collects that one. A pass empties the kernel's list of zombies
 * first and tells about them afterwards, so that slow listeners keep no zombies waiting.
 */
export function createReaper({ onOrphan }: ReaperOptions = {}): Reaper {
  const watched = new Map<number, (exit: Exit) => void>();
  const nodes = new Set<number>();
  const listeners = new Set<() => void>();
  let keepAlive: NodeJS.Timeout | undefined;
  let closed = false;

  function reap(): void {
    if (closed) return;
    const ended = collectAll();
    if (ended.length === 0) return;
    for (const { callback, exit } of ended) callback(exit);
    if (watched.size === 0) letGo();
    for (const listener of listeners) listener();
  }

  function collectAll(): Ended[] {
    const ended: Ended[] = [];
    for (;;) {
      const pid = peekDeadChild();
      if (pid === undefined) return ended;
      if (nodes.has(pid)) {
        // The kernel shows this one until Node has collected it, which it does on the same SIGCHLD, in this turn of the
        // loop.
        setImmediate(reap);
        return ended;
      }
      const exit = collect(pid);
      if (exit === undefined) continue;
      const callback = watched.get(pid) ?? ((orphansExit: Exit) => onOrphan?.(pid, orphansExit));
      watched.delete(pid);
      ended.push({ exit, callback });
    }
  }

  function letGo(): void {
    clearInterval(keepAlive);
    keepAlive = undefined;
  }

  process.on('SIGCHLD', reap);
  // Children from before this process became what it is (a shell that used exec) may be dead already.
  setImmediate(reap);

  return {
    watch(pid, callback) {
      watched.set(pid, callback);
      keepAlive ??= setInterval(() => {}, NEVER);
    },
    leaveAlone(pid) {
      nodes.add(pid);
      return () => nodes.delete(pid);
    },
    reap,
    onPass(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closed = true;
      process.removeListener('SIGCHLD', reap);
      letGo();
    },
  };
}

interface Ended {
  readonly exit: Exit;
  readonly callback: (exit: Exit) => void;
}
