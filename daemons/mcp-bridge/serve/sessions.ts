import type { Session } from './session.ts';

/** The sessions of the legacy era that are open. */
export interface Sessions {
  /** False where as many are open as may be, and all are at work. */
  add(session: Session): boolean;
  /** The session, where it was opened at this path by this agent. */
  find(id: string, path: string, agent: string): Session | undefined;
  remove(session: Session): void;
  removeWhere(isGone: (session: Session) => boolean): void;
  active(): number;
  /** Ends all. */
  close(): void;
}

export interface SessionsOptions {
  readonly most: number;
  /** A session of which nothing was heard for so long, and that does not listen, ends. Milliseconds. */
  readonly idleTimeout: number;
  readonly clock: () => number;
  readonly onOpen: () => void;
  readonly onEnd: (session: Session) => void;
}

const MOST_BETWEEN_SWEEPS_MS = 10_000;

export function createSessions({ most, idleTimeout, clock, onOpen, onEnd }: SessionsOptions): Sessions {
  /** The one that was used longest ago comes first. */
  const open = new Map<string, Session>();
  const sweeper = setInterval(sweep, Math.min(idleTimeout, MOST_BETWEEN_SWEEPS_MS));
  sweeper.unref();

  function sweep(): void {
    const before = clock() - idleTimeout;
    for (const session of open.values()) if (session.isIdle() && session.lastUse() <= before) remove(session);
  }

  function makeRoom(): boolean {
    if (open.size < most) return true;
    for (const session of open.values()) {
      if (!session.isIdle()) continue;
      remove(session);
      return true;
    }
    return false;
  }

  function remove(session: Session): void {
    if (!open.delete(session.id)) return;
    session.close();
    onEnd(session);
  }

  return {
    add(session) {
      if (!makeRoom()) return false;
      open.set(session.id, session);
      onOpen();
      return true;
    },
    find(id, path, agent) {
      const session = open.get(id);
      if (session === undefined || session.path !== path || session.caller.agent !== agent) return undefined;
      open.delete(id);
      open.set(id, session);
      return session;
    },
    remove,
    removeWhere(isGone) {
      for (const session of [...open.values()]) if (isGone(session)) remove(session);
    },
    active: () => open.size,
    close() {
      clearInterval(sweeper);
      for (const session of [...open.values()]) remove(session);
    },
  };
}
