import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../log/log.ts';
import type { Scanner } from '../../scanner/finding.ts';
import type { Desk } from '../queue/desk.ts';
import { textHash } from '../queue/shown.ts';
import { maskSecrets } from '../secrets.ts';
import { printableText } from '../text.ts';
import { KIND_OF_SOURCE, parseReport, type Report, type Reporter } from './report.ts';

/** A directory in which one daemon leaves its reports. Whoever owns it is that daemon. */
export interface ReportSource {
  readonly source: Reporter;
  readonly directory: string;
}

export interface SpoolOptions {
  readonly source: ReportSource;
  readonly desk: Desk;
  readonly scanner: Scanner;
  readonly log: Log;
}

const LARGEST_REPORT = 64 * 1024;
/** Files that are looked at in one round; a directory with more is not this daemon's doing well. */
const MOST_FILES = 1000;
/** Skipped files that are remembered, so that each is told once. */
const MOST_TOLD = 1000;

/**
 * Takes in what lies in a spool directory: each call is one round. A report that the queue refuses for now stays, and is tried in
 * the next round; one that is none is told once and left alone.
 */
export function createSpool({ source: { source, directory }, desk, scanner, log }: SpoolOptions): () => Promise<void> {
  const told = new Set<string>();

  function tellOnce(what: string, message: string): void {
    if (told.has(what)) return;
    if (told.size >= MOST_TOLD) told.clear();
    told.add(what);
    log('warn', message, { event: 'report-skipped', source });
  }

  async function round(): Promise<void> {
    if (desk.readOnly !== undefined) return;
    const owner = await ownerOf(directory);
    if (typeof owner === 'string') {
      tellOnce(owner, `reports of ${source} are not taken in: ${directory} ${owner}`);
      return;
    }
    const names = (await readdir(directory)).filter((name) => NAME.test(name)).sort();
    for (const name of names.slice(0, MOST_FILES)) await takeIn(name, owner);
  }

  async function takeIn(name: string, owner: number): Promise<void> {
    const path = join(directory, name);
    const read = await readReport(path, owner);
    if (read === undefined) return;
    if (!read.ok) {
      tellOnce(`${name}:${read.identity}`, `the report ${path} is skipped: it ${read.reason}`);
      return;
    }
    if (read.report.kind !== KIND_OF_SOURCE[source]) {
      tellOnce(`kind:${name}`, `the report ${path} is skipped: ${source} does not report ${read.report.kind}`);
      return;
    }
    const draft = await fitted(read.report, scanner);
    if (!draft.ok) {
      tellOnce('scan', `reports of ${source} wait: it cannot be told whether they hold a secret: ${draft.reason}`);
      return;
    }
    const submitted = await desk.submit({
      ...draft.report,
      source,
      target: '',
      current: '',
      currentHash: '',
      proposed: '',
      report: `${source}/${name}:${textHash(read.text)}`,
    });
    if (submitted.ok || submitted.cause === 'taken') {
      // Where the directory is another user's, its owner clears it, and the queue knows what it has taken in.
      await unlink(path).catch(() => {});
    } else tellOnce(`refused:${name}`, `the report ${path} waits: ${submitted.reason}`);
  }

  return round;
}

const NAME = /^[\w][\w.-]{0,199}\.json$/;

/** The user who owns the directory; or why its content cannot be believed. */
async function ownerOf(directory: string): Promise<number | string> {
  try {
    const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const { uid, mode } = await handle.stat();
      return (mode & 0o022) === 0 ? uid : 'can be written by others than its owner; take that right away (chmod go-w)';
    } finally {
      await handle.close();
    }
  } catch (error) {
    return `cannot be opened (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'})`;
  }
}

type ReadReport =
  | { readonly ok: true; readonly report: Report; readonly text: string }
  | { readonly ok: false; readonly reason: string; readonly identity: string };

/** Undefined where the file has gone meanwhile. */
async function readReport(path: string, owner: number): Promise<ReadReport | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === 'ENOENT') return undefined;
    const reason = code === 'ELOOP' ? 'is a symbolic link' : `cannot be opened (${code})`;
    return { ok: false, reason, identity: code };
  }
  try {
    const stat = await handle.stat();
    const reason = fault(stat, owner);
    const identity = `${stat.ino}:${stat.mtimeMs}`;
    if (reason !== undefined) return { ok: false, reason, identity };
    const text = await readAtMost(handle, LARGEST_REPORT);
    const report = text === undefined ? undefined : parseReport(text);
    return text === undefined || report === undefined
      ? { ok: false, reason: 'is not a report', identity }
      : { ok: true, report, text };
  } finally {
    await handle.close();
  }
}

function fault(stat: Stats, owner: number): string | undefined {
  if (!stat.isFile()) return 'is not a plain file';
  if (stat.uid !== owner) return 'belongs to another user than its directory';
  if (stat.nlink > 1) return 'has a second name, and so may be a file from elsewhere';
  if (stat.size > LARGEST_REPORT) return `is larger than ${LARGEST_REPORT} bytes`;
  return undefined;
}

/** Undefined where there is more: the file may grow while it is read. */
async function readAtMost(handle: FileHandle, most: number): Promise<string | undefined> {
  const buffer = Buffer.alloc(most + 1);
  let size = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, size, buffer.length - size, size);
    size += bytesRead;
    if (bytesRead === 0 || size === buffer.length) break;
  }
  return size > most ? undefined : buffer.toString('utf8', 0, size);
}

/** Without control characters and secrets. */
async function fitted(
  { kind, facts, justification }: Report,
  scanner: Scanner,
): Promise<{ readonly ok: true; readonly report: Report } | { readonly ok: false; readonly reason: string }> {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(facts)) {
    // A finding is allowed by its fingerprint, which must stay as it is; the hash of a secret is none.
    const isFingerprint = name === 'fingerprint' && HASH.test(value);
    const masked = isFingerprint ? undefined : await maskSecrets(scanner, printableText(value));
    if (masked?.ok === false) return masked;
    clean[name] = masked?.text ?? value;
  }
  const why = await maskSecrets(scanner, printableText(justification));
  return why.ok ? { ok: true, report: { kind, facts: clean, justification: why.text } } : why;
}

const HASH = /^[0-9a-f]{64}$/;
