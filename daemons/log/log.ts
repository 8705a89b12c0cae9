import { pino } from 'pino';

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
 * Lines are written at once, so that the last one before an exit is not lost.
 */
export function createLog(daemon: string, format = process.env.LOG_FORMAT): Log {
  const destination = pino.destination({ fd: 1, sync: true });
  if (format === 'text') {
    return (level, message) => {
      destination.write(`${level === 'info' ? '' : `${level}: `}${oneLine(message)}\n`);
    };
  }
  const logger = pino(
    {
      base: { daemon },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return (level, message, fields) => logger[level](fields, message);
}

/** Control characters and line separators as escapes: text of an agent must not begin a line of its own, nor command a terminal. */
function oneLine(message: string): string {
  return message.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
