import { toText } from './lines.ts';
import type { LogRecord, Stream } from './logs.ts';

/** Sees all whole, masked lines of one daemon that arrive together. */
export type Watcher = (daemon: string, stream: Stream, time: number, block: Buffer) => void;

/** Who wants to see lines as they come. Where nobody does, lines are not even cut. */
export interface Watchers {
  /** Adds a watcher of these daemons, of all where none is named; returns the way to remove it. */
  add(daemons: readonly string[], watcher: Watcher): () => void;
  show(daemon: string, stream: Stream, time: number, block: Buffer): void;
}

export function createWatchers(): Watchers {
  const ofAll = new Set<Watcher>();
  const ofOne = new Map<string, Set<Watcher>>();

  function add(daemons: readonly string[], watcher: Watcher): () => void {
    if (daemons.length === 0) {
      ofAll.add(watcher);
      return () => ofAll.delete(watcher);
    }
    for (const daemon of daemons) {
      const watchers = ofOne.get(daemon) ?? new Set();
      ofOne.set(daemon, watchers.add(watcher));
    }
    return () => {
      for (const daemon of daemons) remove(daemon, watcher);
    };
  }

  function remove(daemon: string, watcher: Watcher): void {
    const watchers = ofOne.get(daemon);
    watchers?.delete(watcher);
    if (watchers?.size === 0) ofOne.delete(daemon);
  }

  function show(daemon: string, stream: Stream, time: number, block: Buffer): void {
    const watchers = ofOne.get(daemon);
    if (ofAll.size === 0 && watchers === undefined) return;
    // A copy: a watcher may have another pipe drained, and that reads into where the block lies.
    const copy = Buffer.from(block);
    for (const watcher of ofAll) watcher(daemon, stream, time, copy);
    for (const watcher of watchers ?? []) watcher(daemon, stream, time, copy);
  }

  return { add, show };
}

/** Shows every line to the listener. */
export function lineWatcher(listener: (record: LogRecord) => void): Watcher {
  return (daemon, stream, time, block) => {
    for (const line of toText(block)) listener({ time, daemon, stream, line });
  };
}

/** Calls the listener at every block in which a line matches. */
export function matchWatcher(pattern: RegExp, listener: () => void): Watcher {
  const stateless = new RegExp(pattern, pattern.flags.replace(/[gy]/g, ''));
  return (_daemon, _stream, _time, block) => {
    if (toText(block).some((line) => stateless.test(line))) listener();
  };
}
