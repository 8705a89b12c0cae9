import { chmodSync, existsSync, lchownSync, mkdirSync, renameSync, statfsSync, symlinkSync, utimesSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { syncDirectory } from '../../daemons/approval/target-file.ts';
import { bytesOf, type Entry } from '../archive/contents.ts';
import { type Archive, readArchive } from '../archive/read.ts';
import { isWithin } from '../places.ts';
import { explainFull, openScratch, type Scratch } from '../scratch.ts';
import type { Step } from './plan.ts';

/** A step that writes: its place is restored to `target`. */
export interface Writing extends Step {
  readonly target: string;
}

export interface CarriedOut {
  /** What stood in the way, and where it is now. */
  readonly aside: readonly (readonly [from: string, to: string])[];
  /** True where this user may not give files to others, and so has them. */
  readonly isOwnerLost: boolean;
}

/**
 * Unpacks places beside where they are to be, checks them, and gives them their names. Killed at any time it leaves each place as it was or as it
 * is to be, and what stood there under its old name or aside. Throws one line.
 */
export async function carryOut(archive: Archive, steps: readonly Writing[], now: Date): Promise<CarriedOut> {
  const scratches = new Map<string, Scratch>();
  try {
    const drafts = new Map<string, string>();
    const outermost = steps.filter((step) => aroundAll(step, steps) === step);
    for (const [index, { place, target, entries }] of outermost.entries()) {
      const parent = dirname(target);
      makeParent(parent, place.kind === 'data' && entries[0]?.type === 'file');
      const scratch = scratches.get(parent) ?? openScratch(parent, 'bottled-restore');
      scratches.set(parent, scratch);
      drafts.set(place.id, join(scratch.path, String(index)));
    }
    for (const step of steps) {
      const { place, target } = aroundAll(step, steps);
      drafts.set(step.place.id, join(drafts.get(place.id) ?? '', relative(target, step.target)));
    }
    requireRoom(outermost, steps);
    const isOwnerLost = await unpack(archive, drafts).catch((error: unknown) => {
      throw explainFull(error, [...scratches.keys()].join(', '), 'nothing was changed. Make room and run it again');
    });
    return { aside: putInPlace(outermost, drafts, now), isOwnerLost };
  } finally {
    for (const scratch of scratches.values()) scratch.remove();
  }
}

/** Of places that lie in each other the outermost, which is unpacked and renamed with all that is in it. */
function aroundAll(step: Writing, steps: readonly Writing[]): Writing {
  const [outermost = step] = steps
    .filter(({ target }) => isWithin(step.target, target))
    .sort((a, b) => a.target.length - b.target.length);
  return outermost;
}

/** What daemons go through is open to them; what only holds a file of the init is not. */
function makeParent(parent: string, isPrivate: boolean): void {
  // Whatever who restores wants for files of his own.
  const mask = process.umask(0o022);
  try {
    mkdirSync(dirname(parent), { recursive: true });
    if (!existsSync(parent)) mkdirSync(parent, { mode: isPrivate ? 0o700 : 0o755 });
  } finally {
    process.umask(mask);
  }
}

function requireRoom(outermost: readonly Writing[], steps: readonly Writing[]): void {
  for (const parent of new Set(outermost.map(({ target }) => dirname(target)))) {
    const inIt = steps.filter((step) => dirname(aroundAll(step, steps).target) === parent);
    const needed = bytesOf(inIt.flatMap(({ entries }) => entries));
    const { bavail, bsize } = statfsSync(parent);
    if (needed > bavail * bsize)
      throw new Error(`${parent} has no room for ${needed} bytes; make room and run it again`);
  }
}

async function unpack(archive: Archive, drafts: ReadonlyMap<string, string>): Promise<boolean> {
  const isRoot = process.geteuid?.() === 0;
  let isOwnerLost = false;
  const directories: [path: string, entry: Entry][] = [];
  await readArchive(archive, {
    async entry(entry, bytes) {
      const draft = drafts.get(entry.place);
      if (draft === undefined) return;
      const path = join(draft, entry.path);
      await make(path, entry, bytes);
      if (!isRoot && entry.uid !== process.geteuid?.()) isOwnerLost = true;
      // Their modes and owners may forbid what is still to be written.
      if (entry.type === 'directory') directories.push([path, entry]);
      else makeAsItWas(path, entry, isRoot);
    },
  });
  for (const [path, entry] of directories.reverse()) {
    syncDirectory(path);
    makeAsItWas(path, entry, isRoot);
  }
  return isOwnerLost;
}

/** Gives what is there already the owners and modes of the archive; killed in between, it can be done again. Throws one line. */
export function putRight({ target, entries }: Writing): void {
  const isRoot = process.geteuid?.() === 0;
  for (const entry of entries.toReversed()) {
    const path = join(target, entry.path);
    // Root without the capability FOWNER may change the mode only of what is its own.
    if (isRoot) lchownSync(path, 0, 0);
    makeAsItWas(path, entry, isRoot);
  }
}

/** The owner comes last: root without the capability FOWNER can change nothing else of what belongs to another. */
function makeAsItWas(path: string, entry: Entry, isRoot: boolean): void {
  if (entry.type !== 'symlink') {
    chmodSync(path, modeOf(entry));
    utimesSync(path, entry.mtime / 1_000, entry.mtime / 1_000);
  }
  if (isRoot) lchownSync(path, entry.uid, entry.gid);
}

async function make(path: string, entry: Entry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  // A place may come before the one that it lies in.
  mkdirSync(entry.type === 'directory' ? path : dirname(path), { recursive: true, mode: 0o700 });
  if (entry.type === 'directory') return;
  if (entry.type === 'symlink') symlinkSync(entry.target, path);
  else {
    const file = await open(path, 'wx', 0o600);
    try {
      for await (const chunk of bytes) await file.writeFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

function modeOf({ mode }: Entry): number {
  return Number.parseInt(mode, 8);
}

/** Without an await: only a SIGKILL comes between, and each place is one rename. */
function putInPlace(steps: readonly Writing[], drafts: ReadonlyMap<string, string>, now: Date): CarriedOut['aside'] {
  const aside: [string, string][] = [];
  for (const { place, target, standing } of steps) {
    const draft = drafts.get(place.id) ?? '';
    if (standing === 'other') {
      const to = freeName(`${target}.before-restore-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`);
      renameSync(target, to);
      aside.push([target, to]);
    }
    renameSync(draft, target);
    syncDirectory(dirname(target));
  }
  return aside;
}

function freeName(wanted: string): string {
  let name = wanted;
  for (let count = 2; existsSync(name); count++) name = `${wanted}~${count}`;
  return name;
}
