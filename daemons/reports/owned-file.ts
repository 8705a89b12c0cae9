import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs';

/** The user who alone can say what is in a directory; or why there is none, as the end of a sentence. */
export type Owner =
  | { readonly ok: true; readonly uid: number }
  | { readonly ok: false; readonly reason: string; readonly isMissing: boolean };

/** Whose word the files of a directory are. */
export function ownerOf(directory: string): Owner {
  try {
    const stat = lstatSync(directory);
    if (!stat.isDirectory()) return { ok: false, reason: 'is no directory', isMissing: false };
    if ((stat.mode & 0o022) === 0) return { ok: true, uid: stat.uid };
    const reason = 'can be written by others than its owner; take that right away (chmod go-w)';
    return { ok: false, reason, isMissing: false };
  } catch (error) {
    const code = codeOf(error);
    return { ok: false, reason: `cannot be opened (${code})`, isMissing: code === 'ENOENT' };
  }
}

/** `identity` tells one state of a file that cannot be used from the next. */
export type OwnedFile =
  | { readonly ok: true; readonly text: string; readonly stat: Stats }
  | { readonly ok: false; readonly reason: string; readonly identity: string };

/**
 * Reads a small file that must be `owner`'s: a link, a second name or another's file says nothing. Undefined where there is none. Sees
 * a file whole, since those who write such files rename them into place.
 */
export function readOwnedFile(path: string, owner: number, most: number): OwnedFile | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return undefined;
    const reason = code === 'ELOOP' ? 'is a symbolic link' : `cannot be opened (${code})`;
    return { ok: false, reason, identity: code };
  }
  try {
    const stat = fstatSync(fd);
    const identity = `${stat.ino}:${stat.mtimeMs}`;
    const reason = fault(stat, owner, most);
    if (reason !== undefined) return { ok: false, reason, identity };
    const text = readAtMost(fd, most);
    return text === undefined ? { ok: false, reason: tooLarge(most), identity } : { ok: true, text, stat };
  } catch (error) {
    const code = codeOf(error);
    return { ok: false, reason: `cannot be read (${code})`, identity: code };
  } finally {
    closeSync(fd);
  }
}

function fault(stat: Stats, owner: number, most: number): string | undefined {
  if (!stat.isFile()) return 'is not a plain file';
  if (stat.uid !== owner) return 'belongs to another user than its directory';
  if ((stat.mode & 0o022) !== 0) return 'can be written by others than its owner';
  if (stat.nlink > 1) return 'has a second name, and so may be a file from elsewhere';
  if (stat.size > most) return tooLarge(most);
  return undefined;
}

/** Undefined where there is more: the file may grow while it is read. */
function readAtMost(fd: number, most: number): string | undefined {
  const buffer = Buffer.alloc(most + 1);
  let size = 0;
  for (;;) {
    const bytesRead = readSync(fd, buffer, size, buffer.length - size, size);
    size += bytesRead;
    if (bytesRead === 0 || size === buffer.length) break;
  }
  return size > most ? undefined : buffer.toString('utf8', 0, size);
}

function tooLarge(most: number): string {
  return `is larger than ${most} bytes`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
