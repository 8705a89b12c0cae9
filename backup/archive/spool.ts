import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { explainFull, openScratch } from '../scratch.ts';

/** Puts a stream into a file, since an archive is read twice. */
export async function spooled(stream: Readable): Promise<{ readonly file: string; remove(): void }> {
  const scratch = openScratch(tmpdir(), 'bottled-restore');
  const file = join(scratch.path, 'archive');
  try {
    await pipeline(stream, createWriteStream(file, { mode: 0o600 }));
    return { file, remove: scratch.remove };
  } catch (error) {
    scratch.remove();
    throw explainFull(
      error,
      tmpdir(),
      'the archive has to lie there while it is read. Name another directory by TMPDIR',
    );
  }
}
