import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readTextFile } from '../../config/files.ts';

/** For a file that was not there: what daemons with users of their own can read. */
const MODE = 0o644;

/** What a file holds; undefined where it is not there. Throws where it cannot be read. */
export function readTarget(path: string): string | undefined {
  const read = readTextFile(path);
  if (read.ok) return read.text;
  if (read.fault === 'missing') return undefined;
  throw new Error(`${path} ${read.reason}`);
}

/**
 * Makes `text` what the file holds, on disk before this returns; `undefined` removes it. A reader sees the old text or the new one: it is
 * renamed into place, with the mode and owner of before. Only where that cannot be (the file itself is a mount point, or
 * its directory may not be written) it is written in place. Throws what the system says.
 */
export function writeTarget(path: string, text: string | undefined): void {
  if (text === undefined) {
    rmSync(path, { force: true });
    syncDirectory(dirname(path));
    return;
  }
  const before = statSync(path, { throwIfNoEntry: false });
  const place = before === undefined ? path : realpathSync(path);
  try {
    replace(place, text, before);
  } catch (error) {
    if (before === undefined || !CANNOT_REPLACE.has(codeOf(error))) throw error;
    overwrite(place, text);
  }
}

/** Why a file cannot be written, as the end of a sentence; undefined where it can, as far as can be told without doing it. */
export function writeFault(path: string): string | undefined {
  const place = statSync(path, { throwIfNoEntry: false }) === undefined ? dirname(path) : path;
  try {
    accessSync(place, constants.W_OK);
    return undefined;
  } catch (error) {
    return `cannot be written (${codeOf(error)})`;
  }
}

/** The file is a mount point; the directory is not ours; the owner of the file cannot be kept. */
const CANNOT_REPLACE: ReadonlySet<string> = new Set(['EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS']);

function replace(path: string, text: string, before: Stats | undefined): void {
  const draft = join(dirname(path), `.${basename(path)}.next`);
  rmSync(draft, { force: true });
  try {
    const fd = openSync(draft, 'wx', 0o600);
    try {
      writeWhole(fd, text);
      fchmodSync(fd, before === undefined ? MODE : before.mode & 0o7777);
      if (before !== undefined && (before.uid !== process.geteuid?.() || before.gid !== process.getegid?.())) {
        fchownSync(fd, before.uid, before.gid);
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

function overwrite(path: string, text: string): void {
  const fd = openSync(path, 'r+');
  try {
    writeWhole(fd, text);
    ftruncateSync(fd, Buffer.byteLength(text));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
}

/** So that a rename, or a removal, outlives a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether `found` is what an interrupted write in place of `after` over `before` leaves: a beginning of the new text, then the rest of the
 * old one.
 */
export function isTorn(found: string, before: string, after: string): boolean {
  const [seen, old, made] = [found, before, after].map((text) => Buffer.from(text));
  if (seen === undefined || old === undefined || made === undefined) return false;
  let at = 0;
  while (at < seen.length && at < made.length && seen[at] === made[at]) at += 1;
  return seen.subarray(at).equals(old.subarray(at));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
