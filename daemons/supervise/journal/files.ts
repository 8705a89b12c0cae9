import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

const NAME = /^journal-(\d{12})\.jsonl$/;

/** Name of the file whose first record is number `seq`: sorted by name, the files are in order. */
export function fileNameFor(seq: number): string {
  return `journal-${String(seq).padStart(12, '0')}.jsonl`;
}

/** Paths of the log's files in a directory, oldest first. Throws the error of the file system. */
export function journalFiles(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => NAME.test(name))
    .sort()
    .map((name) => join(directory, name));
}

/** The number of the first record, as the name of a file says; undefined where the name is another. */
export function firstSeqOf(path: string): number | undefined {
  const match = NAME.exec(path.slice(path.lastIndexOf('/') + 1));
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** Makes a new, renamed or removed name in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
