import type { Logging } from '../bundle/schema.ts';
import { monotonic } from '../monotonic.ts';
import { createFormat, type Format } from './format.ts';
import { createFramer } from './framing.ts';
import { lastLines, readRings } from './history.ts';
import { createInbox } from './inbox.ts';
import { countLines } from './lines.ts';
import type { LogCounters, LogFormat, LogRecord, Logs, Stream, Tap } from './logs.ts';
import { createMask } from './mask.ts';
import { createOutput } from './output.ts';
import { createOwnLog } from './own.ts';
import { daemonPrefix, OWN_NAME } from './prefix.ts';
import { createRing, type Ring } from './ring.ts';
import { openSource, type Source } from './source.ts';
import { createWatchers, lineWatcher, matchWatcher } from './watch.ts';

/** Bytes that may wait for stdout before a daemon is slowed or loses lines. */
const HIGH_WATER = 1_048_576;
/** Bytes after which not only those daemons are paused that write, but all that may be. */
const HARD_LIMIT = 4 * HIGH_WATER;
/** Bytes of a daemon's latest stderr that are kept for the diagnosis, whatever its stdout floods and its ring is set to. */
const DIAGNOSIS = 8192;

export interface LogsOptions {
  /** Where to write, usually 1. */
  readonly fd: number;
  readonly format: LogFormat;
  /** Colours the prefix in text. */
  readonly colour: boolean;
  /** Characters of the name's column in text. Default: that of `bottled`. */
  readonly width?: number;
  /** Wall time, ms since the epoch. */
  readonly now?: () => number;
}

/** What is kept of one daemon over its incarnations. */
interface DaemonLog {
  readonly nth: number;
  ring: Ring;
  readonly diagnosis: Ring;
  readonly attachedAt: Record<Stream, number>;
  bytes: number;
  lines: number;
  dropped: number;
  /** Lines dropped since that was last said. */
  unsaid: number;
}

/** Brings the output of all daemons to `fd`. See `Logs`. */
export function createLogs({ fd, format, colour, width = OWN_NAME.length, now = Date.now }: LogsOptions): Logs {
  const inbox = createInbox();
  const output = createOutput({ fd, highWater: HIGH_WATER, onDrain: flowAgain });
  const own = createOwnLog({ format, write, colour, width, now });
  const watchers = createWatchers();
  const daemons = new Map<string, DaemonLog>();
  const paused = new Set<Source>();
  const pausable = new Set<Source>();
  let mask = createMask([]);
  let order = 0;
  let attached = 0;

  function attach(daemon: string, stream: Stream, pipe: number, options: Logging): Tap {
    const log = logOf(daemon, options.ring);
    log.attachedAt[stream] = order;
    const prefix = daemonPrefix(daemon, log.nth, { colour, width });
    const toOutput = createFormat({ format, daemon, stream, prefix });
    const framer = createFramer(options.max_line, inbox, () => mask);
    const blocks = options.on_full === 'block';
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    let deadline: NodeJS.Timeout | undefined;
    let closesAt = Number.POSITIVE_INFINITY;

    const source = openSource({ fd: pipe, area: inbox.area, onRead, onEnd });
    if (blocks) pausable.add(source);

    function onRead(length: number): void {
      log.bytes += length;
      const lines = framer.push(length);
      if (lines === undefined) return;
      deliver(lines);
      if (blocks && output.isFull()) pause(source);
    }

    function onEnd(): void {
      clearTimeout(deadline);
      closesAt = Number.NEGATIVE_INFINITY;
      pausable.delete(source);
      paused.delete(source);
      const line = framer.end();
      if (line !== undefined) deliver(line);
      resolve();
    }

    function deliver(lines: Buffer): void {
      const block = mask.apply(lines);
      const time = now();
      order += 1;
      log.ring.push(order, time, stream, block);
      if (stream === 'stderr') log.diagnosis.push(order, time, stream, block);
      if (output.closed() !== undefined) countDropped(log, countLines(block), false);
      else if (!blocks && output.isFull()) countDropped(log, countLines(block), true);
      else log.lines += print(toOutput, block, time);
      watchers.show(daemon, stream, time, block);
    }

    function endWithin(ms: number): void {
      source.drain();
      const at = monotonic() + ms;
      if (at >= closesAt) return;
      closesAt = at;
      clearTimeout(deadline);
      deadline = setTimeout(source.close, ms);
    }

    return { ended, drain: source.drain, endWithin };
  }

  function logOf(daemon: string, ringLimit: number): DaemonLog {
    const known = daemons.get(daemon);
    if (known !== undefined) {
      if (known.ring.limit !== ringLimit) known.ring = resized(known.ring, ringLimit);
      return known;
    }
    const log: DaemonLog = {
      nth: attached,
      ring: createRing(ringLimit),
      diagnosis: createRing(DIAGNOSIS),
      attachedAt: { stdout: 0, stderr: 0 },
      bytes: 0,
      lines: 0,
      dropped: 0,
      unsaid: 0,
    };
    attached += 1;
    daemons.set(daemon, log);
    return log;
  }

  function print(toOutput: Format, block: Buffer, time: number): number {
    const lines = toOutput(block, time, output);
    output.send();
    return lines;
  }

  function countDropped(log: DaemonLog, lines: number, say: boolean): void {
    log.lines += lines;
    log.dropped += lines;
    if (say) log.unsaid += lines;
  }

  function pause(source: Source): void {
    if (output.queued() < HARD_LIMIT) pauseOne(source);
    else for (const each of pausable) pauseOne(each);
  }

  function pauseOne(source: Source): void {
    if (paused.has(source)) return;
    paused.add(source);
    source.pause();
  }

  function flowAgain(): void {
    for (const [daemon, log] of daemons) {
      if (log.unsaid > 0) own('warn', daemon, `${log.unsaid} lines dropped, stdout is slow`);
      log.unsaid = 0;
    }
    const sources = [...paused];
    paused.clear();
    for (const source of sources) source.resume();
  }

  function write(lines: string): void {
    const block = mask.apply(Buffer.from(lines));
    output.append(block.toString('latin1'), block.length);
    output.send();
  }

  function onMatch(daemon: string, pattern: RegExp, listener: () => void): () => void {
    const stop = watchers.add(
      [daemon],
      matchWatcher(pattern, () => {
        stop();
        listener();
      }),
    );
    return stop;
  }

  function read(names: readonly string[], lines: number): readonly LogRecord[] {
    const chosen = [...daemons].filter(([daemon]) => names.length === 0 || names.includes(daemon));
    return readRings(new Map(chosen.map(([daemon, log]) => [daemon, log.ring])), lines, mask);
  }

  function last(daemon: string, stream: Stream, count: number): readonly string[] {
    const log = daemons.get(daemon);
    if (log === undefined) return [];
    const ring = stream === 'stderr' ? log.diagnosis : log.ring;
    return lastLines(ring, stream, log.attachedAt[stream] + 1, count, mask);
  }

  function counters(daemon: string): LogCounters {
    const { bytes, lines, dropped } = daemons.get(daemon) ?? { bytes: 0, lines: 0, dropped: 0 };
    return { bytes, lines, dropped };
  }

  async function flush(ms: number): Promise<boolean> {
    await own.flush();
    return output.flush(ms);
  }

  return {
    attach,
    onMatch,
    lastLines: last,
    write,
    own,
    read,
    follow: (names, listener) => watchers.add(names, lineWatcher(listener)),
    counters,
    output: () => ({ queued: output.queued(), closed: output.closed() }),
    forget: (daemon) => {
      daemons.delete(daemon);
    },
    mask: (secrets) => {
      mask = createMask(secrets);
    },
    masked: (text) => mask.apply(Buffer.from(text)).toString('utf8'),
    flush,
  };
}

function resized(ring: Ring, limit: number): Ring {
  const other = createRing(limit);
  for (const { order, time, stream, bytes } of ring.blocks()) other.push(order, time, stream, bytes);
  return other;
}
