import { toText } from './lines.ts';
import type { LogRecord, Stream } from './logs.ts';
import type { Mask } from './mask.ts';
import type { Ring } from './ring.ts';

interface Batch {
  readonly order: number;
  readonly records: readonly LogRecord[];
}

/** The newest lines of several rings together, in the order in which they were read, at most `count`. */
export function readRings(rings: ReadonlyMap<string, Ring>, count: number, mask: Mask): LogRecord[] {
  const batches = [...rings].flatMap(([daemon, ring]) => newestBatches(daemon, ring, count, mask));
  const records = batches.sort((a, b) => a.order - b.order).flatMap((batch) => batch.records);
  return records.slice(Math.max(0, records.length - count));
}

/** The last lines of one stream from block `since` on, oldest first, at most `count`. */
export function lastLines(ring: Ring, stream: Stream, since: number, count: number, mask: Mask): string[] {
  const blocks = ring.blocks().filter((block) => block.stream === stream && block.order >= since);
  const lines: string[] = [];
  for (let block = blocks.pop(); block !== undefined && lines.length < count; block = blocks.pop()) {
    lines.unshift(...toText(mask.apply(block.bytes)).slice(-count));
  }
  return lines.slice(Math.max(0, lines.length - count));
}

function newestBatches(daemon: string, ring: Ring, count: number, mask: Mask): Batch[] {
  const blocks = ring.blocks();
  const batches: Batch[] = [];
  let left = count;
  for (let block = blocks.pop(); block !== undefined && left > 0; block = blocks.pop()) {
    const { order, time, stream } = block;
    const records = toText(mask.apply(block.bytes)).map((line) => ({ time, daemon, stream, line }));
    batches.push({ order, records });
    left -= records.length;
  }
  return batches;
}
