import type { AuditEntry } from './control/audit.ts';
import type { History } from './history.ts';
import { type ControlPlane, PLANES } from './lifecycle/event.ts';
import type { CommandStatus, HistoryEntry } from './status.ts';

/** How many commands have come, and by which control plane. */
export interface Commands {
  status(): CommandStatus;
}

/** Longer texts are cut in the audit trail: every problem of a bundle file, say. In characters. */
const LONGEST_TEXT = 1_000;

/**
 * Counts commands from the history, whichever way they came, those of before this call too, and hands each on. A signal that
 * ends the bundle is a command.
 */
export function countCommands(history: History, onCommand: (entry: AuditEntry) => void): Commands {
  const counts: Record<ControlPlane, number> = { cli: 0, http: 0, signal: 0, mcp: 0, web: 0 };
  let last: { readonly plane: ControlPlane; readonly time: string } | undefined;
  const times: Record<ControlPlane, string | null> = { cli: null, http: null, signal: null, mcp: null, web: null };

  function take({ type, time, plane, who, command, daemon, accepted, text }: HistoryEntry): void {
    if ((type !== 'answer' && type !== 'ending') || plane === undefined) return;
    counts[plane] += 1;
    times[plane] = time;
    last = { plane, time };
    onCommand({
      time,
      plane,
      who: who ?? null,
      command: command ?? '',
      daemon: daemon ?? null,
      result: accepted === true ? 'accepted' : 'refused',
      text: text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text,
    });
  }

  for (const entry of history.after(0)) take(entry);
  history.onEntry(take);
  return {
    status: () => ({
      total: PLANES.reduce((sum, plane) => sum + counts[plane], 0),
      by_plane: { ...counts },
      last_by_plane: { ...times },
      last_plane: last?.plane ?? null,
      last_time: last?.time ?? null,
    }),
  };
}
