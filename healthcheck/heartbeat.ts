import { closeSync, constants, fchmodSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HealthReport } from './aggregate.ts';
import { sentence } from './sentence.ts';

/** How often the init is to beat, in ms; it also beats on each change. */
export const HEARTBEAT_INTERVAL = 2_000;

/** Name of the heartbeat file in the run directory. */
export const HEARTBEAT_FILE = 'health';

export interface HeartbeatOptions {
  /** The init's run directory. */
  readonly directory: string;
  readonly report: () => HealthReport;
  /** Told once when beating fails, and once again only after it has worked in between. */
  readonly onProblem: (problem: string) => void;
}

/** The file by which the HEALTHCHECK probe (`healthcheck/healthcheck`) knows the bundle's health and that the init lives. */
export interface Heartbeat {
  /** Writes the present health. Never throws. */
  beat(): void;
  /** Removes the file; later beats do nothing. Never throws. */
  close(): void;
}

/**
 * The file holds one line: status, seconds of /proc/uptime at the time of writing, text. It is replaced whole, so a reader
 * never sees half of it. Uptime and not wall time, because it cannot be set.
 */
export function createHeartbeat({ directory, report, onProblem }: HeartbeatOptions): Heartbeat {
  const file = join(directory, HEARTBEAT_FILE);
  const draft = `${file}.new`;
  let failing = false;
  let closed = false;
  return {
    beat() {
      if (closed) return;
      try {
        replace(file, draft, lineOf(report()));
        failing = false;
      } catch (error) {
        remove(draft);
        if (failing) return;
        failing = true;
        tell(
          onProblem,
          `cannot write the heartbeat ${file}: ${messageOf(error)}; the HEALTHCHECK probe reports unhealthy until this works`,
        );
      }
    },
    close() {
      closed = true;
      remove(draft);
      remove(file);
    },
  };
}

const TEXT_LIMIT = 500;

function lineOf({ status, text }: HealthReport): string {
  const [seconds] = readFileSync('/proc/uptime', 'latin1').split(' ', 1);
  return `${status} ${seconds} ${sentence(text, TEXT_LIMIT)}\n`;
}

function replace(file: string, draft: string, line: string): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const descriptor = openSync(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, MODE);
  try {
    // The umask may have taken bits away, and the probe may run as another user.
    fchmodSync(descriptor, MODE);
    writeFileSync(descriptor, line);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
}

const MODE = 0o644;

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Nothing can be done about it; the probe sees a stale heartbeat.
  }
}

function tell(onProblem: (problem: string) => void, problem: string): void {
  try {
    onProblem(problem);
  } catch {
    // Telling is not worth a fault of the init.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
