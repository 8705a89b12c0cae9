import type { Logger } from 'pino';
import { timestamp } from './format.ts';
import type { LogFormat } from './logs.ts';
import { ownPrefix } from './prefix.ts';

/** Lines that come before the JSON writer is loaded wait no longer than this. */
const LOAD_AFTER_MS = 1000;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a machine wants to know of an event. Shown in JSON only: the text must say it all to a human. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The init's own log. */
export interface OwnLog {
  /** One line about a daemon, or about the bundle where none is named. */
  (level: LogLevel, daemon: string | undefined, text: string, fields?: LogFields): void;
  /** Loads what JSON needs, which is too much for the start path, and writes the lines that waited for it. */
  load(): Promise<void>;
  /** Writes the lines that still wait for it, if any. */
  flush(): Promise<void>;
}

export interface OwnLogOptions {
  readonly format: LogFormat;
  /** Takes whole lines. */
  readonly write: (lines: string) => void;
  readonly colour?: boolean;
  /** Characters of the name's column. */
  readonly width?: number;
  /** Wall time, ms since the epoch. */
  readonly now?: () => number;
}

/**
 * In text and raw: `bottled | egress: starting → running`. In JSON the shape of a daemon's line, with `"stream":"bottled"`,
 * the level and the fields, by pino.
 */
export function createOwnLog(options: OwnLogOptions): OwnLog {
  return options.format === 'json' ? jsonLog(options) : textLog(options);
}

function textLog({ write, colour = false, width = 0 }: OwnLogOptions): OwnLog {
  const prefix = ownPrefix({ colour, width });
  const log = (level: LogLevel, daemon: string | undefined, text: string) => {
    const line = onOneLine(daemon === undefined ? text : `${daemon}: ${text}`);
    write(`${prefix}${colour ? paint(level, line) : line}\n`);
  };
  return Object.assign(log, { load: () => Promise.resolve(), flush: () => Promise.resolve() });
}

/** Text that came from a daemon must not forge a line or move the cursor. */
function onOneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to be replaced
  return text.replace(/[\x00-\x1f\x7f]+/g, ' ').trimEnd();
}

function paint(level: LogLevel, line: string): string {
  if (level === 'error') return `\x1b[31m${line}\x1b[0m`;
  return level === 'warn' ? `\x1b[33m${line}\x1b[0m` : line;
}

interface Entry {
  readonly time: number;
  readonly level: LogLevel;
  readonly daemon: string | undefined;
  readonly text: string;
  readonly fields: LogFields;
}

function jsonLog({ write, now = Date.now }: OwnLogOptions): OwnLog {
  let kept: Entry[] = [];
  let emit: ((entry: Entry) => void) | undefined;
  let loading: Promise<void> | undefined;

  function log(level: LogLevel, daemon: string | undefined, text: string, fields: LogFields = {}): void {
    const entry = { time: now(), level, daemon, text, fields };
    if (emit !== undefined) emit(entry);
    else if (kept.push(entry) === 1) setTimeout(() => void load(), LOAD_AFTER_MS).unref();
  }

  function load(): Promise<void> {
    loading ??= loadEmitter();
    return loading;
  }

  async function loadEmitter(): Promise<void> {
    const emitEntry = await jsonEmitter(write);
    for (const entry of kept) emitEntry(entry);
    kept = [];
    emit = emitEntry;
  }

  function flush(): Promise<void> {
    return kept.length === 0 ? Promise.resolve() : load();
  }

  return Object.assign(log, { load, flush });
}

async function jsonEmitter(write: (line: string) => void): Promise<(entry: Entry) => void> {
  const { pino } = await import('pino');
  let time = 0;
  const logger: Logger = pino(
    {
      base: null,
      level: 'debug',
      messageKey: 'message',
      timestamp: () => `,"time":"${timestamp(time)}"`,
      formatters: { level: (level) => ({ level }) },
    },
    { write },
  );
  return (entry) => {
    time = entry.time;
    logger[entry.level]({ daemon: entry.daemon ?? null, stream: 'bottled', ...entry.fields }, entry.text);
  };
}
