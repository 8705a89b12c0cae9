import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import { encrypted } from './age.ts';
import { CONTENTS_NAME, type Contents, contentsText, type Entry, nameOf } from './contents.ts';

export interface WriteOptions {
  /** Where the copy of a file lies. */
  readonly staged: (entry: Entry) => string;
  /** Who can read the archive, for age(1). Everybody without. */
  readonly recipient: string | undefined;
}

/** Writes an archive: tar(5), the table of contents first, in zstd, encrypted where that is asked for. Throws one line. */
export async function writeArchive(contents: Contents, output: Writable, options: WriteOptions): Promise<void> {
  const tar = pack();
  const filling = fill(tar, contents, options).catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  const compressed = createZstdCompress();
  const { recipient } = options;
  const written = encrypted(recipient, output, (target) => pipeline(Readable.from(tar), compressed, target));
  // Where the output fails, that is the cause, and not the stream that breaks off for it.
  await Promise.all([filling.catch((error: unknown) => written.then(() => Promise.reject(error))), written]);
}

async function fill(tar: Pack, contents: Contents, { staged }: WriteOptions): Promise<void> {
  const mtime = new Date(contents.time);
  tar.entry({ name: CONTENTS_NAME, mode: 0o600, mtime }, contentsText(contents));
  for (const entry of contents.entries) await add(tar, entry, staged(entry));
  tar.finalize();
}

async function add(tar: Pack, entry: Entry, staged: string): Promise<void> {
  const common = { name: nameOf(entry), mode: Number.parseInt(entry.mode, 8), uid: entry.uid, gid: entry.gid };
  if (entry.type === 'symlink') {
    tar.entry({ ...common, type: 'symlink', linkname: entry.target });
    return;
  }
  const mtime = new Date(entry.mtime);
  if (entry.type === 'directory') {
    tar.entry({ ...common, type: 'directory', mtime });
    return;
  }
  const sink = tar.entry({ ...common, type: 'file', size: entry.size, mtime });
  sink.on('error', () => {});
  const closed = new Promise<void>((resolve) => sink.once('close', resolve));
  for await (const chunk of createReadStream(staged)) {
    if (!sink.write(chunk)) await Promise.race([once(sink, 'drain'), closed]);
    if (sink.destroyed) throw new Error('the archive cannot be written on');
  }
  sink.end(undefined);
  await closed;
}
