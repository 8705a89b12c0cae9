import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Found, survey } from '../survey.ts';
import { copyFile, Gone } from './file.ts';

/** How often a repository is copied anew that changes meanwhile in a way which matters. */
const TRIES = 5;
const FSCK_MS = 600_000;

/**
 * Copies a repository while it is in use, and gives back what it holds: first what names objects, then the objects, so that all that
 * is named is there. git checks the copy. Throws one line.
 */
export async function copyRepository(from: string, to: string): Promise<readonly Found[]> {
  let reason = '';
  for (let tried = 0; tried < TRIES; tried++) {
    try {
      rmSync(to, { recursive: true, force: true });
      const copied = await copyOnce(from, to);
      const fault = await faultOf(to);
      if (fault === undefined) return copied;
      reason = fault;
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
      reason = 'it changes all the time';
    }
  }
  throw new Error(`cannot copy the repository ${from} whole: ${reason}; stop what writes to it, and try again`);
}

/** git writes packed-refs before it removes the refs that it holds: read after them, it misses none. */
const ORDER: readonly RegExp[] = [/^refs(\/|$)/, /^(?!objects(\/|$))/, /^/];

async function copyOnce(from: string, to: string): Promise<readonly Found[]> {
  const copied = new Map<string, Found>();
  for (const stage of ORDER) {
    for (const found of inside(from)) {
      if (copied.has(found.path) || !stage.test(found.path)) continue;
      const target = join(to, found.path);
      if (found.type === 'directory') mkdirSync(target, { recursive: true, mode: 0o700 });
      const stat = found.type === 'file' ? await copyFile(join(from, found.path), target) : found.stat;
      copied.set(found.path, { ...found, stat });
    }
  }
  return [...copied.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Locks, and what git has not finished. */
const PASSING = /(\.lock$|^objects\/(pack\/)?(tmp_|incoming-))/;
const NONE_APART: ReadonlySet<string> = new Set();

function inside(root: string): readonly Found[] {
  return survey(root, NONE_APART, 'plain').found.filter(({ path }) => !PASSING.test(path));
}

/** Why git does not take it for a whole repository. Nothing that its own configuration names is run. */
async function faultOf(repository: string): Promise<string | undefined> {
  const neutral = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'core.pager=cat'];
  try {
    await promisify(execFile)('git', [...neutral, 'fsck', '--connectivity-only', '--no-dangling', '--no-progress'], {
      cwd: repository,
      timeout: FSCK_MS,
      env: {
        PATH: process.env.PATH ?? '',
        GIT_DIR: repository,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        // A repository may name a remote, and how it is reached, for what is missing in it.
        GIT_NO_LAZY_FETCH: '1',
        LC_ALL: 'C',
      },
    });
    return undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error('git is needed to check the copy of a repository, and it is not there; install git');
    }
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n')[0] : '';
    return said || 'git fsck finds it damaged';
  }
}
