import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { join, posix } from 'node:path';

/** How a thing is copied: as it lies there, or by the rules of what it is. */
export type Unit = 'plain' | 'journal' | 'sqlite' | 'git';

/** One file, directory or link of a place. */
export interface Found {
  /** Below the place; empty for the place itself. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly unit: Unit;
  readonly stat: BigIntStats;
  /** Of a link. */
  readonly target?: string;
}

export interface Survey {
  /** A directory before what is in it, names in order. */
  readonly found: readonly Found[];
  /** What no backup takes, each as a sentence. */
  readonly leftOut: readonly string[];
}

/**
 * What lies in a place. Sockets are nothing to keep; links that lead out of the place, pipes and devices are left out and
 * told of. A git repository is one thing, and not looked into, unless `as` is plain. Throws one line where something cannot be read.
 */
export function survey(root: string, apart: ReadonlySet<string>, as: 'units' | 'plain' = 'units'): Survey {
  const found: Found[] = [];
  const leftOut: string[] = [];

  /** What has gone since its name was read is not there. */
  function tolerantly(path: string): void {
    try {
      visit(path);
    } catch (error) {
      if (codeOf(error) === 'EACCES') throw unreadable(join(root, path));
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }

  function visit(path: string): void {
    const full = join(root, path);
    const stat = lstatSync(full, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || stat.isSocket()) return;
    if (path !== '' && apart.has(full)) return;
    if (stat.isSymbolicLink()) {
      const target = readlinkSync(full);
      if (path !== '' && staysWithin(path, target)) found.push({ path, type: 'symlink', unit: 'plain', stat, target });
      else leftOut.push(`${full} is a link that leads out, to ${target}`);
    } else if (stat.isFile()) found.push({ path, type: 'file', unit: as === 'units' ? unitOf(full) : 'plain', stat });
    else if (!stat.isDirectory()) leftOut.push(`${full} is a pipe or a device`);
    else if (as === 'units' && isRepository(full)) found.push({ path, type: 'directory', unit: 'git', stat });
    else {
      found.push({ path, type: 'directory', unit: 'plain', stat });
      for (const name of namesIn(full)) tolerantly(posix.join(path, name));
    }
  }

  tolerantly('');
  return { found: found.filter(({ path }) => !isCompanion(path, found)), leftOut };
}

/** Names in a directory, in order. Throws where one is not UTF-8: it could not be put back as it is. */
export function namesIn(directory: string): readonly string[] {
  const names = readdirSync(directory).sort();
  const odd = names.find((name) => name.includes('\uFFFD'));
  if (odd !== undefined) throw new Error(`${directory} holds a name that is not UTF-8, ${odd}; rename it`);
  return names;
}

/**
 * True where a relative link at `path` stays below the place, whatever lies there. `..` may stand at its beginning only: behind a name
 * that is a link itself it would lead to where that one goes.
 */
export function staysWithin(path: string, target: string): boolean {
  if (target === '' || target.includes('\0') || posix.isAbsolute(target)) return false;
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const name = parts.findIndex((part) => part !== '..');
  if (name !== -1 && parts.includes('..', name)) return false;
  const end = posix.join(posix.dirname(path), target);
  return end !== '..' && !end.startsWith('../');
}

/** What git itself takes for a repository (gitrepository-layout(5)). */
function isRepository(directory: string): boolean {
  return ['HEAD', 'objects', 'refs'].every(
    (name) => lstatSync(join(directory, name), { throwIfNoEntry: false }) !== undefined,
  );
}

const JOURNAL = /(^|\/)journal-\d{12}\.jsonl$/;
const SQLITE = Buffer.from('SQLite format 3\0');

function unitOf(file: string): Unit {
  if (JOURNAL.test(file)) return 'journal';
  return beginsWith(file, SQLITE) ? 'sqlite' : 'plain';
}

function beginsWith(file: string, bytes: Buffer): boolean {
  const begin = Buffer.alloc(bytes.length);
  try {
    const fd = openSync(file, READ_ONLY);
    try {
      return readSync(fd, begin) === bytes.length && begin.equals(bytes);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Whoever copies it says why it cannot be read.
    return false;
  }
}

/** What SQLite keeps beside a database is in its copy already. */
function isCompanion(path: string, found: readonly Found[]): boolean {
  const match = /^(.*)-(wal|shm|journal)$/s.exec(path);
  return match !== null && found.some((other) => other.unit === 'sqlite' && other.path === match[1]);
}

/** A link or a pipe that has come in place of a file must not be followed, nor waited for. */
export const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The code of an error of the file system; undefined of any other. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

export function unreadable(path: string): Error {
  return new Error(`cannot read ${path}: permission denied; run it as root, or as the user to whom it belongs`);
}
