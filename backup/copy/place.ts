import { type BigIntStats, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { codeOf, type Found, type Survey, survey, unreadable } from '../survey.ts';
import { copyFile, Gone } from './file.ts';
import { copyRepository } from './git.ts';
import { checkJournal, cutTornRecord } from './journal.ts';
import { copySqlite } from './sqlite.ts';

/** A thing as it was copied. */
export interface Copied extends Omit<Found, 'unit'> {
  /** Where the copy of a file lies. */
  readonly staged: string;
}

export interface CopiedPlace {
  /** A directory before what is in it. */
  readonly copied: readonly Copied[];
  readonly leftOut: readonly string[];
}

/** How often what has changed is copied anew, before the place counts as never at rest. */
const ROUNDS = 8;
const PAUSE_MS = 50;

/**
 * Copies a place to `staging` as it was at one moment: what changes while it is copied is copied anew, until nothing has. Databases,
 * repositories and logs that only grow are copied by their own rules, so that they may go on changing. Resolves with undefined where
 * nothing is there; throws one line that names what cannot be copied.
 */
export async function copyPlace(
  path: string,
  staging: string,
  apart: ReadonlySet<string>,
): Promise<CopiedPlace | undefined> {
  const root = realPath(path);
  if (root === undefined) return undefined;
  const taken = new Map<string, readonly Copied[]>();
  let now = survey(root, apart);
  let changed = now.found;
  for (let round = 0; round < ROUNDS && changed.length > 0; round++) {
    if (round > 0) await setTimeout(round * PAUSE_MS);
    for (const found of changed) await take(found);
    now = survey(root, apart);
    forgetVanished(now);
    changed = changedSince(taken, now);
  }
  const [restless] = changed;
  if (restless !== undefined) {
    throw new Error(`${join(root, restless.path)} changes all the time; stop what writes to it, and try again`);
  }
  checkJournals();
  return { copied: now.found.flatMap((found) => taken.get(found.path) ?? []), leftOut: now.leftOut };

  async function take(found: Found): Promise<void> {
    const [from, staged] = [join(root ?? path, found.path), join(staging, found.path)];
    mkdirSync(dirname(staged), { recursive: true, mode: 0o700 });
    try {
      taken.set(found.path, await copyUnit(found, from, staged));
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
      taken.delete(found.path);
    }
  }

  function forgetVanished({ found }: Survey): void {
    const there = new Set(found.map((each) => each.path));
    for (const gone of [...taken.keys()].filter((each) => !there.has(each))) {
      taken.delete(gone);
      rmSync(join(staging, gone), { recursive: true, force: true });
    }
  }

  function checkJournals(): void {
    const logs = new Map<string, string>();
    for (const { path: file, unit } of now.found) if (unit === 'journal') logs.set(posix.dirname(file), file);
    for (const [directory, newest] of logs) {
      cutTornRecord(join(staging, newest));
      checkJournal(join(staging, directory), join(root ?? path, directory));
    }
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) === 'EACCES') throw unreadable(path);
    throw error;
  }
}

async function copyUnit(found: Found, from: string, staged: string): Promise<readonly Copied[]> {
  const { unit: _, ...thing } = found;
  if (found.unit === 'git') {
    const inside = await copyRepository(from, staged);
    return inside.map(({ unit: _unit, ...each }) => ({
      ...each,
      path: posix.join(found.path, each.path),
      staged: join(staged, each.path),
    }));
  }
  if (found.type === 'directory') mkdirSync(staged, { recursive: true, mode: 0o700 });
  if (found.type !== 'file') return [{ ...thing, staged }];
  if (found.unit === 'sqlite') {
    rmSync(staged, { force: true });
    await copySqlite(from, staged);
    return [{ ...thing, staged }];
  }
  return [{ ...thing, stat: await copyFile(from, staged), staged }];
}

/** What has to be copied, or copied anew. A log that has begun another file meanwhile is copied as a whole. */
function changedSince(taken: ReadonlyMap<string, readonly Copied[]>, { found }: Survey): readonly Found[] {
  const fresh = found.some(({ path, unit }) => unit === 'journal' && !taken.has(path));
  return found.filter((now) => {
    if (now.unit === 'journal' && fresh) return true;
    const [before] = taken.get(now.path) ?? [];
    if (before === undefined || before.type !== now.type || before.target !== now.target) return true;
    if (before.stat.ino !== now.stat.ino) return true;
    if (now.type === 'symlink' || now.unit !== 'plain') return false;
    const facts = now.type === 'file' ? FILE_FACTS : DIRECTORY_FACTS;
    return facts.some((fact) => before.stat[fact] !== now.stat[fact]);
  });
}

const DIRECTORY_FACTS = ['mode', 'uid', 'gid'] as const satisfies readonly (keyof BigIntStats)[];
const FILE_FACTS = [...DIRECTORY_FACTS, 'size', 'mtimeNs', 'ctimeNs'] as const satisfies readonly (keyof BigIntStats)[];
