import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
} from 'node:fs';
import { join } from 'node:path';
import { NAME } from '../bundle/names.ts';
import { errnoOf } from '../posix/errno.ts';
import type { Secret } from './secrets.ts';

/** Bounds on one directory: more than this are no secrets of one daemon. Bytes. */
const MOST_FILES = 256;
const MOST_BYTES = 1_048_576;
const MOST_BYTES_IN_ALL = 4 * MOST_BYTES;

/**
 * The secrets that the files of a directory are, each under the name of its file. Of a directory that is not there or whose path is empty there
 * are none. Passed over are subdirectories and names that no secret can have (dot files). A symbolic link counts as the
 * file that it leads to, within the directory only: Kubernetes mounts a secret as links into `..data`.
 */
export function readSecretDirectory(path: string): readonly Secret[] | { readonly error: string } {
  if (path === '') return [];
  try {
    const root = realpathSync(path);
    const names = readdirSync(root).filter((name) => NAME.test(name));
    if (names.length > MOST_FILES) return { error: `${path} holds more than ${MOST_FILES} files` };
    const secrets: Secret[] = [];
    let bytes = 0;
    for (const target of names.sort()) {
      const read = readWithin(root, target);
      if (read === undefined) continue;
      if ('error' in read) return { error: `${join(path, target)} ${read.error}` };
      bytes += read.value.length;
      if (bytes > MOST_BYTES_IN_ALL) return { error: `${path} holds more than ${MOST_BYTES_IN_ALL} bytes` };
      secrets.push({ target, value: read.value });
    }
    return secrets;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return [];
    return { error: `${path} ${reasonFor(code)}` };
  }
}

function reasonFor(code: string): string {
  if (code === 'ENOTDIR')
    return 'is no directory: name the directory that holds the file, or use file instead of directory';
  if (code !== 'EACCES') return `cannot be read (${code})`;
  const uid = process.geteuid?.() ?? 0;
  return `may not be read by uid ${uid}: let it${uid === 0 ? ', or give the container the capability DAC_OVERRIDE' : ''}`;
}

/** Undefined for a directory, and for what has gone meanwhile. */
function readWithin(root: string, name: string): { readonly value: Buffer } | { readonly error: string } | undefined {
  let fd: number | undefined;
  try {
    // A pipe must not keep the init waiting.
    fd = openSync(join(root, name), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stat = fstatSync(fd);
    if (stat.isDirectory()) return undefined;
    if (!stat.isFile()) return { error: 'is no regular file' };
    // Of the file that is open, whatever stands at its path by now: who owns the directory must not have the init read other files.
    if (!readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${root}/`)) {
      return { error: 'leads out of the directory: put the file itself there' };
    }
    if (stat.size > MOST_BYTES) return { error: `holds more than ${MOST_BYTES} bytes` };
    return { value: readFileSync(fd) };
  } catch (error) {
    const code = errnoOf(error);
    return code === 'ENOENT' ? undefined : { error: reasonFor(code) };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
