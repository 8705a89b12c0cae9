import type { Dirent } from 'node:fs';
import { lstat, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { describeByteSize } from '../../../config/byte-size.ts';
import type { Limits } from '../config/schema.ts';
import type { Settings } from '../settings.ts';
import { mirrorPath, mirrorsPath, QUARANTINE_PREFIX } from './mirror.ts';

/** For whose push there shall be room. */
export interface RoomFor {
  readonly repo: string;
  /** Where the objects of the push are, as long as it is not decided on. */
  readonly quarantine?: string | undefined;
}

/**
 * Why there is no room for a push, as a sentence for the agent; undefined where there is. Counted are the objects of mirrors as they are on
 * disk, and what has arrived of this push: other pushes under way are not yet decided on, and may go again.
 */
export async function whyNoRoom(
  settings: Pick<Settings, 'data'>,
  limits: Limits,
  { repo, quarantine }: RoomFor,
): Promise<string | undefined> {
  const short = await whyNoneFree(settings, limits);
  if (short !== undefined) return short;
  const arrived = quarantine === undefined ? 0 : await bytesIn(quarantine);
  const mirror = arrived + (await bytesOfMirror(mirrorPath(settings, repo)));
  if (mirror > limits.max_mirror) {
    const have = `its mirror has ${describeByteSize(mirror)} on disk, of at most ${describeByteSize(limits.max_mirror)}`;
    return `${have} (${OPERATOR}: limits.max_mirror)`;
  }
  const mirrors = await entriesOf(mirrorsPath(settings));
  const sizes = await Promise.all(mirrors.map(({ name }) => bytesOfMirror(join(mirrorsPath(settings), name))));
  const all = sizes.reduce((sum, size) => sum + size, arrived);
  if (all <= limits.max_mirrors) return undefined;
  const have = `all mirrors together have ${describeByteSize(all)} on disk, of at most ${describeByteSize(limits.max_mirrors)}`;
  return `${have} (${OPERATOR}: limits.max_mirrors)`;
}

/** The same where only what is free counts. */
export async function whyNoneFree(
  { data }: Pick<Settings, 'data'>,
  { keep_free }: Limits,
): Promise<string | undefined> {
  const { bavail, bsize } = await statfs(data);
  const free = bavail * bsize;
  if (free >= keep_free) return undefined;
  const left = `the disk of the gate has ${describeByteSize(free)} left, and ${describeByteSize(keep_free)} are kept free`;
  return `${left} (${OPERATOR}: limits.keep_free)`;
}

const OPERATOR = 'the operator decides, in git-gate.yaml';

async function bytesOfMirror(mirror: string): Promise<number> {
  return bytesIn(join(mirror, 'objects'), ({ name }) => !name.startsWith(QUARANTINE_PREFIX));
}

/** What all files in a directory take on disk. git removes files meanwhile: what is gone counts nothing. */
async function bytesIn(directory: string, isCounted: (entry: Dirent) => boolean = () => true): Promise<number> {
  const entries = await entriesOf(directory);
  const sizes = await Promise.all(
    entries.filter(isCounted).map((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? bytesIn(path) : bytesOfFile(path);
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** In blocks of 512 bytes, whatever the file system calls a block (stat(2)). */
async function bytesOfFile(path: string): Promise<number> {
  const found = await lstat(path).catch(ignoreGone);
  return found === undefined ? 0 : found.blocks * 512;
}

async function entriesOf(directory: string): Promise<readonly Dirent[]> {
  return (await readdir(directory, { withFileTypes: true }).catch(ignoreGone)) ?? [];
}

function ignoreGone(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return;
  throw error;
}
