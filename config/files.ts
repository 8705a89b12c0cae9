import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** A text file, or why it cannot be had, as the end of a sentence: `the file … does not exist`. */
export type FileText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly fault: 'missing' | 'not-text' | 'unreadable'; readonly reason: string };

/** A bundle file, an env file or a secret larger than this is refused unread. */
export const MOST_BYTES = 1_048_576;

/** The bytes of a file, or why they cannot be had. */
export type FileBytes =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly fault: 'missing' | 'unreadable'; readonly reason: string };

/** Reads a regular UTF-8 file of at most 1 MiB, without a byte order mark. Never throws, never waits for a pipe. */
export function readTextFile(path: string): FileText {
  const file = readSmallFile(path);
  if (!file.ok) return file;
  if (!isUtf8(file.bytes)) return { ok: false, fault: 'not-text', reason: 'is not UTF-8 text' };
  const text = file.bytes.toString('utf8');
  return { ok: true, text: text.startsWith('\uFEFF') ? text.slice(1) : text };
}

/** Reads a regular file of at most 1 MiB, whatever it holds. Never throws, never waits for a pipe. */
export function readSmallFile(path: string): FileBytes {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (stat.isDirectory()) return refused('is a directory');
    if (!stat.isFile()) return refused('is not a regular file');
    if (stat.size > MOST_BYTES) return refused(`holds ${stat.size} bytes; at most ${MOST_BYTES} (1 MiB) are read`);
    const bytes = readFileSync(fd);
    if (bytes.length > MOST_BYTES) return refused(`holds more than ${MOST_BYTES} bytes (1 MiB)`);
    return { ok: true, bytes };
  } catch (error) {
    const code = errorCode(error);
    const fault = code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'unreadable';
    return { ok: false, fault, reason: REASONS[code] ?? `cannot be read (${code})` };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  ELOOP: 'is a circle of symbolic links',
  ENXIO: 'is not a regular file',
  ENAMETOOLONG: 'has too long a name',
  ERR_INVALID_ARG_VALUE: 'has no usable name',
};

function refused(reason: string): FileBytes {
  return { ok: false, fault: 'unreadable', reason };
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
