import type { LogLevel } from './log.ts';

/** Bounds how many lines of one event a daemon writes, since an agent that is refused can ask again as often as it likes. */
export interface LineLimit {
  /** Whether one more line of this event may be written now. One that may not is counted. */
  admits(level: LogLevel, event: string): boolean;
  /** A line of this event was so many bytes long. */
  wrote(event: string, bytes: number): void;
  /** Says now what has been left out so far: the daemon ends. */
  close(): void;
}

export interface LineLimitOptions {
  /** Told once, at the end of a minute in which lines of this event were left out. */
  readonly tell: (event: string, leftOut: number) => void;
  /** Monotonic, in milliseconds. */
  readonly clock?: () => number;
}

/** Of one event in a minute. What passes is as much as an honest agent does; what is refused or fails should be the exception. */
export const MOST_LINES: Readonly<Record<LogLevel, number>> = { info: 6000, warn: 600, error: 600 };
/** A longer line counts as several, so that long lines do not make up for few. */
const LINE_BYTES = 1024;
const MINUTE_MS = 60_000;

interface Minute {
  readonly endsAt: number;
  lines: number;
  leftOut: number;
  timer: NodeJS.Timeout | undefined;
}

/** The names of events come from the daemon and are few: none of them is ever forgotten. */
export function createLineLimit({ tell, clock = () => performance.now() }: LineLimitOptions): LineLimit {
  const minutes = new Map<string, Minute>();

  function minuteOf(event: string): Minute {
    const now = clock();
    const known = minutes.get(event);
    if (known !== undefined && now < known.endsAt) return known;
    if (known !== undefined) end(event, known);
    const next = { endsAt: now + MINUTE_MS, lines: 0, leftOut: 0, timer: undefined };
    minutes.set(event, next);
    return next;
  }

  function end(event: string, minute: Minute): void {
    clearTimeout(minute.timer);
    const { leftOut } = minute;
    minute.leftOut = 0;
    if (leftOut > 0) tell(event, leftOut);
  }

  return {
    admits(level, event) {
      const minute = minuteOf(event);
      if (minute.lines < MOST_LINES[level]) return true;
      minute.leftOut += 1;
      minute.timer ??= setTimeout(() => end(event, minute), minute.endsAt - clock()).unref();
      return false;
    },
    wrote(event, bytes) {
      minuteOf(event).lines += Math.max(1, Math.ceil(bytes / LINE_BYTES));
    },
    close() {
      for (const [event, minute] of minutes) end(event, minute);
    },
  };
}
