import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, open, rename, rm } from 'node:fs/promises';
import * as z from 'zod/mini';
import type { KnownSecrets } from './fingerprints.ts';

const hex = (bytes: number) => z.string().check(z.regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`)));

const schema = z.strictObject({
  version: z.literal(1),
  salt: hex(16),
  secrets: z.array(
    z.strictObject({
      name: z.string(),
      length: z.int().check(z.minimum(16)),
      window: z.int().check(z.minimum(0), z.maximum(65_535)),
      sha256: hex(32),
    }),
  ),
  leftOut: z.array(z.string()),
});

/** What a file says, or why it cannot be used, as the end of a sentence: `cannot be read (ENOENT)`. */
export type ReadKnownSecrets =
  | { readonly ok: true; readonly known: KnownSecrets }
  | { readonly ok: false; readonly reason: string };

/**
 * Writes fingerprints (never a secret) into `file`, at once: a reader sees the old file or the new one. Readable by every user unless
 * `mode` says otherwise. Rejects with the error of the file system.
 */
export async function writeKnownSecrets(file: string, known: KnownSecrets, mode = 0o644): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.draft`;
  try {
    const handle = await open(draft, 'wx', mode);
    try {
      await handle.writeFile(`${JSON.stringify(known)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // The umask may have taken from the mode.
    await chmod(draft, mode);
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Reads what {@link writeKnownSecrets} wrote. Never throws. */
export function readKnownSecrets(file: string): ReadKnownSecrets {
  try {
    const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success
      ? { ok: true, known: parsed.data }
      : { ok: false, reason: 'is not a file of known secrets of this version' };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'not JSON';
    return { ok: false, reason: `cannot be read (${code})` };
  }
}
