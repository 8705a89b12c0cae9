import { pino } from 'pino';
import { createLineLimit } from './line-limit.ts';

/** What a log line is about: any fields, never a secret. `event` is a stable name that a program can look for. */
export interface LogFields {
  readonly event: string;
  readonly [field: string]: unknown;
}

export type LogLevel = 'info' | 'warn' | 'error';

/** Writes one line: `message` for a person, `fields` for a program. */
export type Log = (level: LogLevel, message: string, fields: LogFields) => void;

/**
 * The log of one daemon, on stdout. As JSON lines (pino), or as plain text where `LOG_FORMAT=text` says that a person reads it.
 * Lines are written at once, so that the last one before an exit is not lost. Beyond `MOST_LINES` of one event in a minute they are
 * counted instead, and `lines-left-out` says how many they were.
 */
export function createLog(daemon: string, format = process.env.LOG_FORMAT): Log {
  const write = format === 'text' ? textWriter() : jsonWriter(daemon);
  const limit = createLineLimit({
    tell(of, leftOut) {
      const message = `${leftOut} more ${leftOut === 1 ? 'line' : 'lines'} of the event ${of} within a minute: left out`;
      write('warn', message, { event: 'lines-left-out', of, left_out: leftOut });
    },
  });
  process.once('exit', limit.close);
  return (level, message, fields) => {
    if (limit.admits(level, fields.event)) limit.wrote(fields.event, write(level, message, fields));
  };
}

/** Writes one line; returns how many bytes it has, about. */
type Writer = (level: LogLevel, message: string, fields: LogFields) => number;

function textWriter(): Writer {
  const destination = pino.destination({ fd: 1, sync: true });
  return (level, message) => {
    const line = `${level === 'info' ? '' : `${level}: `}${oneLine(message)}\n`;
    destination.write(line);
    return line.length;
  };
}

function jsonWriter(daemon: string): Writer {
  const destination = pino.destination({ fd: 1, sync: true });
  let written = 0;
  const logger = pino(
    {
      base: { daemon },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line: string) {
        written = line.length;
        destination.write(line);
      },
    },
  );
  return (level, message, fields) => {
    logger[level](fields, message);
    return written;
  };
}

/** Control characters and line separators as escapes: text of an agent must not begin a line of its own, nor command a terminal. */
function oneLine(message: string): string {
  return message.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
