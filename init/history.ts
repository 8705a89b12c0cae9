import type { HistoryEntry } from './status.ts';

/** The bounded history of what happened, oldest first, and those who want to hear of more. */
export interface History {
  add(entry: Omit<HistoryEntry, 'id' | 'time'>): HistoryEntry;
  after(id: number): readonly HistoryEntry[];
  onEntry(listener: (entry: HistoryEntry) => void): () => void;
}

/** Entries kept; older ones are forgotten. */
const KEPT = 1_000;

export function createHistory(): History {
  const listeners = new Set<(entry: HistoryEntry) => void>();
  let entries: HistoryEntry[] = [];
  let lastId = 0;
  return {
    add(fields) {
      lastId += 1;
      const entry = { id: lastId, time: new Date().toISOString(), ...fields };
      entries.push(entry);
      if (entries.length >= 2 * KEPT) entries = entries.slice(-KEPT);
      for (const listener of listeners) listener(entry);
      return entry;
    },
    after: (id) => entries.slice(-KEPT).filter((entry) => entry.id > id),
    onEntry(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
