import type { LogRecord } from '../logs/logs.ts';
import type { Init } from './init.ts';
import { JSON_LINES_TYPE } from './media.ts';
import { type Reply, unknownDaemon } from './route.ts';
import { SSE_HEARTBEAT, SSE_TYPE, serverSentEvent } from './sse.ts';

/** What a client asks of the logs. */
export interface LogQuery {
  /** Names, separated by commas; all daemons where it is absent. */
  readonly daemon: string | undefined;
  readonly lines: number;
  readonly follow: boolean;
  /** Server-sent events in place of JSON lines. */
  readonly events: boolean;
}

/** The latest lines, and with `follow` every further one, without a line lost or doubled between the two. */
export function logReply(init: Init, { daemon, lines, follow, events }: LogQuery): Reply {
  const known = init.daemons();
  const names = daemon === undefined ? known : [...new Set(daemon.split(',').filter((name) => name !== ''))];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) return unknownDaemon(init, unknown);

  const write = (record: LogRecord): string =>
    events ? serverSentEvent('log', logLine(record)) : `${JSON.stringify(logLine(record))}\n`;
  function* kept(): Iterable<string> {
    for (const record of lines === 0 ? [] : init.logs(names, lines)) yield write(record);
  }
  return {
    type: events ? SSE_TYPE : JSON_LINES_TYPE,
    backlog: kept,
    ...(events && { heartbeat: SSE_HEARTBEAT }),
    ...(follow && { follow: (outbox) => init.onLog(names, (record) => outbox.send(write(record))) }),
  };
}

/** The same shape as the init's own JSON log. */
function logLine({ time, daemon, stream, line }: LogRecord): Record<string, string> {
  return { time: new Date(time).toISOString(), daemon, stream, message: line };
}
