import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod/mini';
import type { TargetName } from './kinds.ts';
import { syncDirectory, writeTarget } from './target-file.ts';

const entry = z.strictObject({
  id: z.string(),
  /** What the file held before, null where it was not there, and what it is to hold. */
  before: z.nullable(z.string()),
  after: z.string(),
});

/** A change of a file that has begun: whoever finds it can finish it or take it back. */
export type BegunChange = z.output<typeof entry>;

/** One begun change a file, on disk before the file is touched. */
export interface ChangeJournal {
  /** Undefined where none has begun. Throws where what is there cannot be read. */
  read(file: TargetName): BegunChange | undefined;
  write(file: TargetName, change: BegunChange): void;
  remove(file: TargetName): void;
}

/** Keeps it in `directory`, which is made (mode 0700) where it is missing. */
export function openJournal(directory: string): ChangeJournal {
  const pathOf = (file: TargetName): string => join(directory, `${file}.json`);
  return {
    read(file) {
      const path = pathOf(file);
      let text: string;
      try {
        text = readFileSync(path, 'utf8');
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
      const parsed = entry.safeParse(parseJson(text));
      if (parsed.success) return parsed.data;
      throw new Error(`${path} cannot be read; compare ${file} with what it should hold, then remove ${path}`);
    },
    write(file, change) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      syncDirectory(dirname(directory));
      writeTarget(pathOf(file), JSON.stringify(change));
    },
    remove(file) {
      writeTarget(pathOf(file), undefined);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
