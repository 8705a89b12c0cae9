import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scanner } from '../scanner/finding.ts';
import { textHash } from './queue/shown.ts';
import { maskSecrets } from './secrets.ts';
import { printableText } from './text.ts';

/** The files that an agent may propose to change. */
export const TARGETS = ['routes.yaml', 'pipelock.yaml', 'Dockerfile'] as const;
export type Target = (typeof TARGETS)[number];

/** What a target holds now. */
export interface Held {
  /** As it is; empty where there is no such file. */
  readonly text: string;
  /** Of `text`. */
  readonly hash: string;
}

/** Larger files are not shown, and so not changed. In bytes. */
const LARGEST = 512 * 1024;

/** Reads a target. Rejects with an error for a person where it cannot be read. */
export async function readTarget(directory: string, target: Target): Promise<Held> {
  const path = join(directory, target);
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new Error('it is not a file');
      if (stat.size > LARGEST) throw new Error(`it is larger than ${LARGEST} bytes`);
      const text = await handle.readFile('utf8');
      return { text, hash: textHash(text) };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { text: '', hash: textHash('') };
    throw new Error(`${target} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Hashes of what the targets hold; without those that cannot be read now. */
export async function targetHashes(directory: string): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const target of TARGETS) {
    const held = await readTarget(directory, target).catch(() => undefined);
    if (held !== undefined) hashes.set(target, held.hash);
  }
  return hashes;
}

/** What may be shown of a target: without secrets. Remembers the last answer, since a file is asked for more often than it changes. */
export function createTargetView(scanner: Scanner): (held: Held) => Promise<string> {
  const last = new Map<string, string>();
  return async ({ text, hash }) => {
    const known = last.get(hash);
    if (known !== undefined) return known;
    const masked = await maskSecrets(scanner, printableText(text));
    if (!masked.ok) throw new Error(`it cannot be told whether it holds a secret: ${masked.reason}`);
    if (last.size >= TARGETS.length) last.clear();
    last.set(hash, masked.text);
    return masked.text;
  };
}
