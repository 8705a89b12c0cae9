import { createWriteStream, realpathSync, renameSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { syncDirectory } from '../daemons/approval/target-file.ts';
import type { Bundle } from '../init/bundle/schema.ts';
import { VERSION } from '../init/version.ts';
import { type Contents, type Entry, nameOf } from './archive/contents.ts';
import { readArchive } from './archive/read.ts';
import { writeArchive } from './archive/write.ts';
import { sha256Of } from './checksum.ts';
import { type Copied, copyPlace } from './copy/place.ts';
import { type Place, placesOf, type Wish } from './places.ts';
import { explainFull, openScratch } from './scratch.ts';

export interface BackupOptions extends Wish {
  /** The archive; undefined: stdout. A directory: a file of the bundle's name and the time in it. */
  readonly output: string | undefined;
  /** For whom it is encrypted: a public key of age, or a file of them. */
  readonly recipient: string | undefined;
  readonly now: Date;
  /** Is told what comes next, in few words. */
  readonly tell: (progress: string) => void;
}

export interface BackedUp {
  /** Undefined where it went to stdout. */
  readonly file: string | undefined;
  /** Bytes of the archive; undefined where it went to stdout. */
  readonly size: number | undefined;
  readonly contents: Contents;
  /** What is not in it that one might look for, each as a sentence. */
  readonly notes: readonly string[];
}

/**
 * Backs up what of a bundle cannot be got back otherwise, whether it runs or not. The archive gets its name once it is whole, has been
 * read back and is on disk; a command that is killed leaves what was there before. Throws one line.
 */
export async function backUp(bundle: Bundle, options: BackupOptions): Promise<BackedUp> {
  const { taken, apart, outOfReach } = placesOf(bundle, options);
  const file = options.output === undefined ? undefined : archiveName(options.output, bundle, options);
  const parent = file === undefined ? tmpdir() : dirname(file);
  const scratch = openScratch(parent, 'bottled-backup');
  try {
    const notes = outOfReach.map((name) => `the secret ${name} is a variable, and in no archive`);
    const around = new Set([...apart, scratch.path, ...(file === undefined ? [] : [file])].map(whereItIs));
    const { contents, staged } = await copyAll(taken, join(scratch.path, 'copy'), around, { bundle, options, notes });
    const staging = { staged: (entry: Entry) => staged.get(nameOf(entry)) ?? '', recipient: options.recipient };
    options.tell('writing the archive');
    if (file === undefined) {
      // Not process.stdout, whose broken pipe counts as a reader that has seen enough.
      const stdout = createWriteStream('', { fd: 1, autoClose: false });
      await writeArchive(contents, stdout, staging).catch((error: unknown) => {
        throw explainFull(error, 'the place that stdout goes to', 'what is there is no whole archive');
      });
      return { file, size: undefined, contents, notes };
    }
    const draft = join(scratch.path, 'archive');
    await writeArchive(contents, createWriteStream(draft, { mode: 0o600, flush: true }), staging);
    if (options.recipient === undefined) {
      options.tell('reading it back');
      await readArchive({ file: draft, identity: undefined });
    }
    renameSync(draft, file);
    syncDirectory(dirname(file));
    return { file, size: statSync(file).size, contents, notes };
  } catch (error) {
    const remedy = file === undefined ? 'name another directory by TMPDIR' : 'make room, or name another by -o';
    throw explainFull(error, parent, `it holds a copy of everything until the archive is whole: ${remedy}`);
  } finally {
    scratch.remove();
  }
}

/** A place is walked by its real path: what is not to be in it is known by its own. */
function whereItIs(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

/** Throws where something else than a file or a directory is there, which the archive would take the place of: /dev/null, say. */
function archiveName(output: string, bundle: Bundle, { now, recipient }: BackupOptions): string {
  const path = resolve(output);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined && output.endsWith('/')) throw new Error(`there is no directory ${output}; make it first`);
  if (found !== undefined && !found.isDirectory() && !found.isFile()) {
    throw new Error(`${output} is no file; name one, or write to stdout with -o -`);
  }
  if (found?.isDirectory() !== true) return path;
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return join(path, `${bundle.name}-${time}.tar.zst${recipient === undefined ? '' : '.age'}`);
}

interface Copying {
  readonly bundle: Bundle;
  readonly options: BackupOptions;
  readonly notes: string[];
}

async function copyAll(
  places: readonly Place[],
  staging: string,
  apart: ReadonlySet<string>,
  { bundle, options, notes }: Copying,
): Promise<{ readonly contents: Contents; readonly staged: ReadonlyMap<string, string> }> {
  const found: Place[] = [];
  const entries: Entry[] = [];
  const staged = new Map<string, string>();
  for (const [index, place] of places.entries()) {
    options.tell(`copying ${place.path}`);
    const copy = await copyPlace(place.path, join(staging, String(index), 'it'), apart);
    notes.push(...(copy?.leftOut ?? []).map((sentence) => `${sentence}: left out`));
    if (copy === undefined || copy.copied.length === 0) {
      if (place.kind === 'data' && !/\.\d+$/.test(place.path)) notes.push(`${place.path} is not there`);
      continue;
    }
    found.push(place);
    for (const copied of copy.copied) {
      const entry = await entryOf(place.id, copied);
      entries.push(entry);
      staged.set(nameOf(entry), copied.staged);
    }
  }
  if (!found.some(({ kind }) => kind === 'data')) {
    const paths = places.map(({ path }) => path).join(', ');
    throw new Error(
      `there is nothing to back up at ${paths || 'any path of the bundle file'}; is BOTTLED_DATA that of the bundle?`,
    );
  }
  const contents: Contents = {
    format: 1,
    bundle: bundle.name,
    bottled: VERSION,
    time: options.now.toISOString(),
    places: found.map(({ id, service, kind, path }) => ({ id, service, kind, path })),
    entries,
  };
  return { contents, staged };
}

/** Set-user-ID and set-group-ID are for programs. */
const DATA_MODE = 0o1777;

async function entryOf(place: string, { path, type, stat, target, staged }: Copied): Promise<Entry> {
  const mode = (Number(stat.mode) & DATA_MODE).toString(8).padStart(4, '0');
  const common = { place, path, uid: Number(stat.uid), gid: Number(stat.gid), mode };
  if (type === 'symlink') return { ...common, type, target: target ?? '' };
  const mtime = Math.max(0, Math.floor(Number(stat.mtimeMs)));
  if (type === 'directory') return { ...common, type, mtime };
  return { ...common, type, mtime, size: statSync(staged).size, sha256: await sha256Of(staged) };
}
