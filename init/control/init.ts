import type { HealthReport } from '../../healthcheck/aggregate.ts';
import type { Caller, Command } from '../lifecycle/event.ts';
import type { LogCounters, LogRecord } from '../logs/logs.ts';
import type { BundleStatus, CommandStatus, HistoryEntry } from '../status.ts';
import type { AuditEntry } from './audit.ts';
import type { InitCapabilities } from './capabilities.ts';

/** What became of a request to one daemon or to the bundle. */
export interface Answer {
  readonly daemon?: string;
  readonly accepted: boolean;
  /** One sentence: what was done, or why not and what to do instead. */
  readonly text: string;
  /** Why it was refused, where that is not the state of the daemon or of the bundle. */
  readonly problem?: 'invalid-bundle';
}

/** What the control API needs of the init: it asks and subscribes, and decides nothing. */
export interface Init {
  /** Names of the daemons, in the order of the bundle file. */
  daemons(): readonly string[];
  status(): BundleStatus;
  health(): HealthReport;
  /** Sends a command to one known daemon. Resolves as soon as the policy has judged it. */
  command(daemon: string, command: Command, caller: Caller): Promise<Answer>;
  /** Reads the bundle file anew. Refused (with every problem named in the text) where it is not valid. */
  reload(caller: Caller): Promise<Answer>;
  /** History after entry `id` (0: all that is kept). */
  history(after: number): readonly HistoryEntry[];
  /** Calls back for each new entry; returns the way to stop it. */
  onHistory(listener: (entry: HistoryEntry) => void): () => void;
  /** The latest lines kept of these daemons, oldest first; at most `lines` of them (Infinity: all that is kept). */
  logs(daemons: readonly string[], lines: number): readonly LogRecord[];
  /** Calls back for each new line of these daemons; returns the way to stop it. */
  onLog(daemons: readonly string[], listener: (record: LogRecord) => void): () => void;
  logCounters(daemon: string): LogCounters;
  /** The latest commands, oldest first, at most `entries`; from before the start of the init, too, where the bundle keeps them. */
  audit(entries: number): readonly AuditEntry[];
  /** Commands so far, by control plane. */
  commandStatus(): CommandStatus;
  capabilities(): InitCapabilities;
}
