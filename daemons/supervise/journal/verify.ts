import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { firstSeqOf, journalFiles } from './files.ts';
import { GENESIS, type Head, type JournalRecord } from './line.ts';
import { type BrokenPlace, readJournalFile } from './read.ts';

/** What checking a log says. */
export type VerifiedLog =
  | {
      readonly ok: true;
      /** How many records were checked. */
      readonly count: number;
      /** Number of the first one: 1, unless older files were taken away. */
      readonly first: number;
      /** Number and hash of the last one. Compare the hash with one that was noted elsewhere: who can write the file can write a whole new one. */
      readonly last: Head;
      readonly files: readonly string[];
      /** Bytes of a record that was being written when the daemon died; it had not been answered. 0 as a rule. */
      readonly tornBytes: number;
    }
  | { readonly ok: false; readonly broken: BrokenPlace };

/**
 * Checks the hash and the place of every record. `path` is the directory of the log, or one of its files. Needs no daemon and changes
 * nothing; may be called while the daemon writes. Throws where `path` cannot be read or holds no log.
 */
export function verifyLog(path: string, visit: (record: JournalRecord) => void = () => {}): VerifiedLog {
  const files = statSync(path).isDirectory() ? journalFiles(path) : [path];
  const oldest = files[0];
  if (oldest === undefined) throw new Error(`${path} holds no log: no file is named journal-….jsonl`);
  const first = firstSeqOf(oldest) ?? 1;
  let head: Head = first === 1 ? GENESIS : beginningOf(oldest, first);
  let [count, tornBytes] = [0, 0];
  for (const file of files) {
    const read = readJournalFile(file, head, (record) => {
      visit(record);
      return undefined;
    });
    if (!read.ok) return read;
    if (read.torn.length > 0 && file !== files.at(-1)) {
      const reason = 'has no end, although another file follows';
      return { ok: false, broken: { file, line: read.count + 1, offset: read.bytes, seq: read.head.seq + 1, reason } };
    }
    head = read.head;
    count += read.count;
    tornBytes = read.torn.length;
  }
  return { ok: true, count, first, last: head, files, tornBytes };
}

/** The head before the first record of a file whose predecessors are not there, as that record names it. */
export function beginningOf(file: string, first: number): Head {
  const descriptor = openSync(file, 'r');
  try {
    const begin = Buffer.alloc(BEGIN_BYTES);
    const size = readSync(descriptor, begin);
    const hash = PREV.exec(begin.toString('latin1', 0, size))?.[1] ?? GENESIS.hash;
    return { seq: first - 1, hash };
  } finally {
    closeSync(descriptor);
  }
}

const BEGIN_BYTES = 256;
const PREV = /^\{"seq":\d+,"time":"[^"]*","prev":"([0-9a-f]{64})"/;
