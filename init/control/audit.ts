import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AuditSettings } from '../bundle/control.ts';
import { provideData } from '../child/data.ts';
import { type ControlPlane, PLANES } from '../lifecycle/event.ts';
import { errnoOf } from '../posix/errno.ts';

/** One command: by which way and by whom it came, and what became of it. */
export interface AuditEntry {
  /** Wall time, RFC 3339. */
  readonly time: string;
  readonly plane: ControlPlane;
  /** As far as the control plane knows: "uid 0 (pid 42)", "operate token at 10.0.0.5". */
  readonly who: string | null;
  /** "restart", "signal SIGHUP", "reload"; for a signal that ends the bundle its name. */
  readonly command: string;
  /** Null where it is about the whole bundle. */
  readonly daemon: string | null;
  readonly result: 'accepted' | 'refused';
  readonly text: string;
}

/** The trail of commands: append-only, and in a file where the bundle says which. */
export interface Audit {
  add(entry: AuditEntry): void;
  /** The latest, oldest first. */
  latest(entries: number): readonly AuditEntry[];
  /** Resolves when all is written. Never rejects. */
  close(): Promise<void>;
}

/** Entries kept to be asked for. */
export const MOST_ENTRIES = 1_000;
/** Lines that wait for a slow disk; further ones are lost, and that is told. */
const MOST_WAITING = 1_000;
/** How much of a file is read for what it last said, in bytes. */
const TAIL_BYTES = 524_288;

/**
 * Opens the trail and reads what it last said. Never rejects: where it cannot be kept in its file it is kept in memory, which
 * `onProblem` is told once for each time that it begins.
 */
export async function openAudit(
  settings: AuditSettings | undefined,
  onProblem: (text: string) => void,
): Promise<Audit> {
  let entries: AuditEntry[] = [];
  const keep = (entry: AuditEntry): void => {
    entries.push(entry);
    if (entries.length >= 2 * MOST_ENTRIES) entries = entries.slice(-MOST_ENTRIES);
  };
  const latest = (count: number): readonly AuditEntry[] =>
    count === 0 ? [] : entries.slice(-MOST_ENTRIES).slice(-count);
  if (settings === undefined) return { add: keep, latest, close: async () => {} };

  const { path, max_size, keep: files } = settings;
  let waiting: string[] = [];
  let lost = 0;
  let writing: Promise<void> | undefined;
  let failing = false;
  let isWhole = false;

  try {
    const unmade = provideData([{ path: dirname(path), mode: 0o700, backup: 'must-back-up', purpose: '' }], {
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
    });
    if (unmade !== undefined) throw new Error(unmade.error.message);
    await (await openTrail()).close();
    for (const file of [`${path}.1`, path]) for (const entry of await readTail(file)) keep(entry);
  } catch (error) {
    fail(error);
  }

  function fail(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    if (!failing) onProblem(`the audit trail cannot be kept in ${path}: ${why}; commands go on, and it is tried again`);
    failing = true;
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const lines = waiting;
      waiting = [];
      for (const line of lines) await write(line);
    }
    writing = undefined;
  }

  async function write(line: string): Promise<void> {
    try {
      await append(line);
      if (failing) onProblem(`the audit trail is kept in ${path} again; ${lost} entries are missing in it`);
      failing = false;
      lost = 0;
    } catch (error) {
      lost += 1;
      fail(error);
    }
  }

  /** Opened for each command, which are few: the file may be moved away or removed at any time. */
  async function append(line: string): Promise<void> {
    let file = await openTrail();
    try {
      const { size } = await file.stat();
      if (size > 0 && size + Buffer.byteLength(line) > max_size) {
        await file.close();
        await rotate();
        file = await openTrail();
      } else if (!isWhole && size > 0) {
        // A line that a crash has cut off must not swallow this one.
        const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
        if (buffer[0] !== 0x0a) await file.appendFile('\n');
      }
      isWhole = true;
      await file.appendFile(line);
    } catch (error) {
      isWhole = false;
      throw error;
    } finally {
      await file.close();
    }
  }

  async function openTrail(): Promise<FileHandle> {
    const flags =
      constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(path, flags, 0o600);
    const found = await file.stat();
    const isOwn = found.isFile() && found.nlink === 1 && found.uid === process.geteuid?.();
    if (isOwn) {
      if ((found.mode & 0o777) !== 0o600) await file.chmod(0o600);
      return file;
    }
    await file.close();
    throw new Error('something of another kind or of another user is there; move it away');
  }

  async function rotate(): Promise<void> {
    if (files === 0) return rm(path, { force: true });
    let free = 1;
    // What lies behind a gap has moved already: a crash came between two of these.
    while (free < files && (await isThere(`${path}.${free}`))) free += 1;
    for (let number = free; number > 1; number--) await rename(`${path}.${number - 1}`, `${path}.${number}`);
    await rename(path, `${path}.1`);
  }

  return {
    add(entry) {
      keep(entry);
      if (waiting.length >= MOST_WAITING) {
        lost += 1;
        fail(new Error('the disk takes them too slowly'));
        return;
      }
      waiting.push(`${JSON.stringify(entry)}\n`);
      writing ??= writeAll();
    },
    latest,
    close: async () => {
      await writing;
    },
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

/** The entries at the end of a trail; what is no entry is passed over. A file that is not there has none. */
async function readTail(path: string): Promise<readonly AuditEntry[]> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines.flatMap((line) => {
      const entry = entryIn(line);
      return entry === undefined ? [] : [entry];
    });
  } finally {
    await file.close();
  }
}

function entryIn(line: string): AuditEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const text = (member: string): string | undefined => {
    const found: unknown = Reflect.get(value, member);
    return typeof found === 'string' ? found : undefined;
  };
  const [time, command] = [text('time'), text('command')];
  const plane = PLANES.find((known) => known === text('plane'));
  if (time === undefined || command === undefined || plane === undefined) return undefined;
  return {
    time,
    plane,
    who: text('who') ?? null,
    command,
    daemon: text('daemon') ?? null,
    result: text('result') === 'accepted' ? 'accepted' : 'refused',
    text: text('text') ?? '',
  };
}
