import { closeSync, openSync, readSync } from 'node:fs';
import { firstSeqOf } from './files.ts';
import { type Head, type JournalRecord, parseLine } from './line.ts';

/** The first place at which a log cannot be believed. */
export interface BrokenPlace {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Offset of the line's first byte. */
  readonly offset: number;
  /** The number that the record there should have. */
  readonly seq: number;
  /** What is wrong with it, as the end of a sentence about the record. */
  readonly reason: string;
}

/** What came of reading one file: everything up to `bytes` is sound, and `torn` is what stands behind it without an end. */
export type ReadFile =
  | { readonly ok: true; readonly head: Head; readonly count: number; readonly bytes: number; readonly torn: Buffer }
  | { readonly ok: false; readonly broken: BrokenPlace };

/** No record is longer: two texts of 256 KiB, each byte of which JSON may write as six. */
const LONGEST_LINE = 16 * 1024 * 1024;
const CHUNK = 1024 * 1024;

/**
 * Reads one file of the log, whose first record has to follow `head`, and calls `visit` for each record in order. `visit` gives back
 * why a record cannot be, if it cannot. Throws the error of the file system.
 */
export function readJournalFile(
  file: string,
  head: Head,
  visit: (record: JournalRecord) => string | undefined,
): ReadFile {
  const descriptor = openSync(file, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    let [offset, count] = [0, 0];
    let at = head;
    const brokenBy = (reason: string): ReadFile => ({
      ok: false,
      broken: { file, line: count + 1, offset, seq: at.seq + 1, reason },
    });
    const named = firstSeqOf(file);
    if (named !== undefined && named !== head.seq + 1) return brokenBy(`has number ${named}, not ${head.seq + 1}`);
    const chunk = Buffer.alloc(CHUNK);
    for (let size = readSync(descriptor, chunk); size > 0; size = readSync(descriptor, chunk)) {
      rest = Buffer.concat([rest, chunk.subarray(0, size)]);
      let begin = 0;
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10, begin)) {
        const parsed = parseLine(rest.subarray(begin, end), at);
        const reason = parsed.ok ? visit(parsed.record) : parsed.reason;
        if (!parsed.ok || reason !== undefined) return brokenBy(reason ?? '');
        at = { seq: parsed.record.seq, hash: parsed.record.hash };
        offset += end + 1 - begin;
        begin = end + 1;
        count++;
      }
      rest = rest.subarray(begin);
      if (rest.length > LONGEST_LINE) return brokenBy(`is longer than ${LONGEST_LINE} bytes`);
    }
    return { ok: true, head: at, count, bytes: offset, torn: Buffer.from(rest) };
  } finally {
    closeSync(descriptor);
  }
}
