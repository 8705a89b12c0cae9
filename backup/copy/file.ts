import { type BigIntStats, readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { codeOf, READ_ONLY, unreadable } from '../survey.ts';

/** Something is not there any more, or is another thing than before: to be looked at again. */
export class Gone extends Error {}

/**
 * Copies a file as long as it is now, and gives back what it was then. `from` is a real path. Throws `Gone` where it is no file any
 * more, and one line where it cannot be read.
 */
export async function copyFile(from: string, to: string): Promise<BigIntStats> {
  const source = await openFile(from);
  try {
    const stat = await source.stat({ bigint: true });
    // A directory on the way may have become a link since it was looked at.
    if (!stat.isFile() || readlinkSync(`/proc/self/fd/${source.fd}`) !== from) throw new Gone(from);
    const target = await open(to, 'w', 0o600);
    const end = Number(stat.size) - 1;
    if (end < 0) await target.close();
    else await pipeline(source.createReadStream({ autoClose: false, start: 0, end }), target.createWriteStream());
    return stat;
  } finally {
    await source.close();
  }
}

async function openFile(path: string) {
  try {
    return await open(path, READ_ONLY);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENXIO') throw new Gone(path);
    if (code === 'EACCES') throw unreadable(path);
    throw error;
  }
}
