import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecondEngine } from '../../scanner/second-engine.ts';
import type { Where } from './inspect.ts';
import type { Found, Piece } from './scan.ts';

/** Collects what a push brings for an engine that scans a directory. */
export interface SecondOpinion {
  /** Puts one piece aside for it. */
  add(piece: Piece<Where>): Promise<void>;
  /** What it found. Rejects with a sentence where it could not look at everything. */
  finish(): Promise<readonly Found<Where>[]>;
  /** Removes what was put aside. */
  close(): void;
}

/** As many bytes are written between two looks at the disk. */
const BETWEEN_LOOKS = 4 * 1024 ** 2;

/**
 * Each piece becomes a file with a number for a name: what the files are called in the push has no say in how they are
 * scanned. `room` says why no more may be written. Without an engine it has no opinion. Throws where `scratch` cannot be written.
 */
export function openSecondOpinion(
  engine: SecondEngine | undefined,
  scratch: string,
  room: () => Promise<string | undefined>,
): SecondOpinion {
  if (engine === undefined) return { add: async () => {}, finish: async () => [], close: () => {} };
  const directory = mkdtempSync(join(scratch, 'push-'));
  const places: Where[] = [];
  let unlooked = 0;
  return {
    async add({ bytes, where }) {
      const name = String(places.length);
      places.push(where);
      unlooked += bytes.length;
      if (unlooked >= BETWEEN_LOOKS) {
        unlooked = 0;
        const full = await room();
        if (full !== undefined) throw new Error(full);
      }
      await writeFile(join(directory, name), bytes, { mode: 0o600 });
    },
    async finish() {
      const result = await engine.scanDirectory(directory);
      if (!result.ok) throw new Error(`the scan could not be finished: ${result.reason}`);
      return result.findings.map(({ file, ...finding }) => {
        const where = places[Number(file)];
        if (where === undefined)
          throw new Error(`the scan could not be finished: ${engine.name} names a file that is not there`);
        return { finding, where };
      });
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}
