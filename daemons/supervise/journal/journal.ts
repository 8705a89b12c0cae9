import { readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileNameFor, firstSeqOf, journalFiles, syncDirectory } from './files.ts';
import { formatLine, GENESIS, type Head, type JournalRecord } from './line.ts';
import { type BrokenPlace, readJournalFile } from './read.ts';
import { beginningOf } from './verify.ts';

/** What the log is for: its owner rebuilds a state from it, and is told of each record once it is on disk. */
export interface JournalOwner {
  /** Takes a record into the state. Gives back why it cannot, as the end of a sentence; never does so for a record that was just written. */
  take(record: JournalRecord): string | undefined;
  /**
   * Events that a new file begins with, out of which alone the state as of the last record can be rebuilt. `before` names the
   * file and the record that they follow.
   */
  carryOver(before: { readonly file: string; readonly head: Head }): readonly unknown[];
  /** The disk refused: nothing more can be written. Called once. */
  onFailure(reason: string): void;
}

/** An append-only log of which this process is the only writer. */
export interface Journal {
  readonly head: Head;
  /** Bytes of the file that is written to. */
  readonly bytes: number;
  readonly files: readonly string[];
  /** Resolves once the record is on disk and its owner has taken it; rejects where that cannot be. */
  append(event: unknown, time: string): Promise<JournalRecord>;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

export type OpenedJournal =
  | {
      readonly ok: true;
      readonly journal: Journal;
      /** Where the bytes of a last line without an end were put. */
      readonly tornFile: string | undefined;
    }
  | { readonly ok: false; readonly broken: BrokenPlace };

export interface JournalOptions {
  readonly directory: string;
  /** In bytes: a file that is larger is followed by a new one. */
  readonly mostBytes: number;
  readonly owner: JournalOwner;
  readonly now: () => Date;
}

/** Bytes that are written with one fdatasync, about. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** A new file begins with what is carried over; it may grow to this many times that, whatever `mostBytes` says. */
const GROWTH = 4;

interface Waiting {
  readonly event: unknown;
  readonly time: string;
  readonly resolve: (record: JournalRecord) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Opens the log in a directory of which the caller holds the lock, replays its newest file into the owner, and makes a first file where
 * there is none. A last line that has no end was never answered: it is put aside. Rejects with the error of the file system.
 */
export async function openJournal(options: JournalOptions): Promise<OpenedJournal> {
  const { directory, owner } = options;
  for (const name of readdirSync(directory)) if (name.endsWith('.jsonl.draft')) rmSync(join(directory, name));
  const files = [...journalFiles(directory)];
  const newest = files.at(-1);
  if (newest === undefined) {
    const file = join(directory, fileNameFor(1));
    const handle = await open(file, 'ax', 0o600);
    await handle.datasync();
    await syncDirectory(directory);
    return { ok: true, journal: startJournal(options, [file], handle, GENESIS, 0), tornFile: undefined };
  }
  const before = headBefore(files);
  if (!before.ok) return before;
  const read = readJournalFile(newest, before.head, (record) => owner.take(record));
  if (!read.ok) return read;
  let tornFile: string | undefined;
  if (read.torn.length > 0) {
    tornFile = `${newest}.torn-${read.head.seq + 1}-${options.now().getTime()}`;
    writeFileSync(tornFile, read.torn, { mode: 0o600, flush: true });
    truncateSync(newest, read.bytes);
  }
  const handle = await open(newest, 'a', 0o600);
  await handle.datasync();
  await syncDirectory(directory);
  return { ok: true, journal: startJournal(options, files, handle, read.head, read.bytes), tornFile };
}

/** The head that the newest file follows: read out of the file before it, where that is there. */
function headBefore(
  files: readonly string[],
): { readonly ok: true; readonly head: Head } | { readonly ok: false; readonly broken: BrokenPlace } {
  const [previous, newest] = [files.at(-2), files.at(-1) ?? ''];
  const first = firstSeqOf(newest) ?? 1;
  if (previous === undefined) return { ok: true, head: first === 1 ? GENESIS : beginningOf(newest, first) };
  const read = readJournalFile(previous, beginningOf(previous, firstSeqOf(previous) ?? 1), () => undefined);
  return read.ok ? { ok: true, head: read.head } : read;
}

function startJournal(
  { directory, mostBytes, owner, now }: JournalOptions,
  files: string[],
  handle: FileHandle,
  head: Head,
  bytes: number,
): Journal {
  const waiting: Waiting[] = [];
  let running: Promise<void> | undefined;
  let failure: Error | undefined;
  let limit = mostBytes;

  function append(event: unknown, time: string): Promise<JournalRecord> {
    if (failure !== undefined) return Promise.reject(failure);
    const { promise, resolve, reject } = Promise.withResolvers<JournalRecord>();
    waiting.push({ event, time, resolve, reject });
    running ??= run();
    return promise;
  }

  /** Writes until nothing waits. What comes meanwhile is written together, with one fdatasync. */
  async function run(): Promise<void> {
    // Those who ask within one turn of the event loop share the first write as well.
    await Promise.resolve();
    let batch: readonly Waiting[] = [];
    try {
      while (waiting.length > 0) {
        const { lines, records, next } = gather();
        batch = waiting.splice(0, records.length);
        await writeAll(handle, lines);
        await handle.datasync();
        bytes += Buffer.byteLength(lines);
        head = next;
        for (const record of records) mustTake(record);
        batch.forEach(({ resolve }, at) => {
          const record = records[at];
          if (record !== undefined) resolve(record);
        });
        batch = [];
        if (bytes > limit) await rotate();
      }
    } catch (error) {
      fail(error, batch);
    }
    running = undefined;
  }

  function gather(): { readonly lines: string; readonly records: readonly JournalRecord[]; readonly next: Head } {
    const records: JournalRecord[] = [];
    let [lines, next] = ['', head];
    for (const { event, time } of waiting) {
      if (lines.length > BATCH_BYTES) break;
      const formatted = formatLine(next, time, event);
      records.push({ ...formatted.head, time, prev: next.hash, event });
      lines += formatted.line;
      next = formatted.head;
    }
    return { lines, records, next };
  }

  function mustTake(record: JournalRecord): void {
    const reason = owner.take(record);
    if (reason !== undefined) throw new Error(`record ${record.seq} ${reason}`);
  }

  /** After an error it is not known what is on disk: only reading the file anew can tell. */
  function fail(error: unknown, batch: readonly Waiting[]): void {
    const reason = error instanceof Error ? error.message : String(error);
    failure = new Error(`the log cannot be written: ${reason}`);
    for (const { reject } of [...batch, ...waiting.splice(0)]) reject(failure);
    owner.onFailure(reason);
  }

  /** Begins a new file. Where it cannot be written, the old one goes on; once it has its name, there is no way back. */
  async function rotate(): Promise<void> {
    const path = join(directory, fileNameFor(head.seq + 1));
    const begin = linesOf(owner.carryOver({ file: basename(files.at(-1) ?? ''), head }), head, now().toISOString());
    const next = await written(`${path}.draft`, begin.lines);
    if (next === undefined) {
      limit = bytes + mostBytes;
      return;
    }
    await rename(`${path}.draft`, path);
    await syncDirectory(directory);
    await handle.close();
    handle = next;
    head = begin.head;
    bytes = Buffer.byteLength(begin.lines);
    limit = Math.max(mostBytes, GROWTH * bytes);
    files.push(path);
  }

  async function close(): Promise<void> {
    await running;
    failure ??= new Error('the log was closed');
    await handle.close();
  }

  return {
    get head() {
      return head;
    },
    get bytes() {
      return bytes;
    },
    files,
    append,
    close,
  };
}

function linesOf(
  events: readonly unknown[],
  head: Head,
  time: string,
): { readonly lines: string; readonly head: Head } {
  let [lines, at] = ['', head];
  for (const event of events) {
    const formatted = formatLine(at, time, event);
    lines += formatted.line;
    at = formatted.head;
  }
  return { lines, head: at };
}

async function writeAll(handle: FileHandle, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
}

/** A new file with this text, on disk; undefined where that cannot be. */
async function written(path: string, text: string): Promise<FileHandle | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'ax', 0o600);
    await writeAll(handle, text);
    await handle.datasync();
    return handle;
  } catch {
    await handle?.close();
    await rm(path, { force: true });
    return undefined;
  }
}
