import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { type Extract, extract, type Header } from 'tar-stream';
import { AGE_MAGIC, decrypted } from './age.ts';
import { CONTENTS_NAME, type Contents, canBeRead, type Entry, nameOf, readContents } from './contents.ts';

/** An archive in a file. */
export interface Archive {
  readonly file: string;
  /** File of the key that opens it, where it is encrypted. */
  readonly identity: string | undefined;
}

export interface Visitor {
  /** Every entry, in order. A file's bytes are checked as they pass; it is as it should be once the iteration has ended. */
  entry?(entry: Entry, bytes: AsyncIterable<Uint8Array>): Promise<void>;
}

/**
 * Reads a whole archive: everything is just as the table of contents says, nothing is missing and nothing is too much. Throws one
 * line where that does not hold.
 */
export async function readArchive(archive: Archive, visitor: Visitor = {}): Promise<Contents> {
  const source = await opened(archive);
  const tar = extract();
  const allowance: Allowance = { bytes: Number.POSITIVE_INFINITY };
  const reading = read(tar, visitor, allowance);
  try {
    const [contents] = await Promise.all([reading, feed(tar, source.bytes, allowance), source.ended]);
    return contents;
  } catch (error) {
    tar.destroy();
    source.stop();
    // What came first is the cause; the rest only ends.
    await Promise.allSettled([reading, source.ended]);
    throw new Error(`${archive.file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Source {
  readonly bytes: Readable;
  readonly ended: Promise<void>;
  stop(): void;
}

const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const NO_ARCHIVE = 'is no archive of bottled backup';

async function opened({ file, identity }: Archive): Promise<Source> {
  const begin = await beginningOf(file);
  if (begin.subarray(0, ZSTD_MAGIC.length).equals(ZSTD_MAGIC)) {
    const bytes = createReadStream(file);
    return { bytes, ended: Promise.resolve(), stop: () => bytes.destroy() };
  }
  if (!begin.equals(AGE_MAGIC)) throw new Error(`${file} ${NO_ARCHIVE}`);
  if (identity === undefined) throw new Error(`${file} is encrypted; name the file of its key with --identity FILE`);
  const { text, ended, stop } = decrypted(file, identity);
  return { bytes: text, ended, stop };
}

async function beginningOf(file: string): Promise<Buffer> {
  // A pipe could not be read twice, and must not be waited for.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message.split(',')[0] : String(error);
    throw new Error(`cannot read the archive ${file}: ${reason}`);
  });
  try {
    if (!(await handle.stat()).isFile()) throw new Error(`${file} is no file; what comes by a pipe is read from "-"`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(AGE_MAGIC.length), 0, AGE_MAGIC.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** How much may still come. */
interface Allowance {
  bytes: number;
}

/** Blocks of zeros after the last entry, to which a tar is filled up (tar(5)). */
const MOST_FILLING = 1024 * 1024;

/** The library itself bounds what it holds in memory: headers, and one piece of an entry. */
async function feed(tar: Extract, bytes: Readable, allowance: Allowance): Promise<void> {
  const text = bytes.pipe(createZstdDecompress());
  bytes.on('error', (error) => text.destroy(error));
  let goOn = (): void => {};
  for (const event of ['drain', 'close']) tar.on(event, () => goOn());
  try {
    for await (const chunk of text) {
      allowance.bytes -= chunk.length;
      if (allowance.bytes < 0) throw new Error('it does not end where its table of contents does');
      if (tar.write(chunk)) continue;
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
    }
    tar.end(undefined);
  } catch (error) {
    tar.destroy();
    bytes.destroy();
    throw broken(error);
  }
}

function broken(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const isZstd = 'code' in error && String(error.code).startsWith('ZSTD_');
  return isZstd ? new Error(`is damaged: ${error.message}`) : error;
}

async function read(tar: Extract, visitor: Visitor, allowance: Allowance): Promise<Contents> {
  let contents: Contents | undefined;
  let at = 0;
  for await (const source of tar) {
    const { header } = source;
    if (contents === undefined) {
      if (header.name !== CONTENTS_NAME || !canBeRead(header.size)) throw new Error(NO_ARCHIVE);
      contents = readContents(await textOf(bytesOfEntry(source)));
      if (contents.entries.length === 0) allowance.bytes = MOST_FILLING;
      continue;
    }
    const entry = contents.entries[at++];
    if (entry === undefined)
      throw new Error(`it holds ${JSON.stringify(header.name)}, which its table of contents does not`);
    if (!fits(header, entry))
      throw new Error(`${JSON.stringify(header.name)} is not ${nameOf(entry)} as its table of contents has it`);
    const bytes = checked(entry, bytesOfEntry(source));
    await visitor.entry?.(entry, bytes);
    // What the visitor has left is checked all the same.
    for await (const _ of bytes);
    if (at === contents.entries.length) allowance.bytes = MOST_FILLING;
  }
  if (contents === undefined) throw new Error(NO_ARCHIVE);
  const missing = contents.entries[at];
  if (missing !== undefined) throw new Error(`it is cut off: ${nameOf(missing)} is missing`);
  return contents;
}

function fits(header: Header, entry: Entry): boolean {
  const name = header.name.endsWith('/') ? header.name.slice(0, -1) : header.name;
  if (name !== nameOf(entry) || header.type !== entry.type) return false;
  if (entry.type === 'file') return header.size === entry.size;
  return header.size === 0 && (entry.type !== 'symlink' || header.linkname === entry.target);
}

async function* checked(entry: Entry, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  for await (const chunk of source) {
    digest.update(chunk);
    yield chunk;
  }
  if (entry.type === 'file' && digest.digest('hex') !== entry.sha256) {
    throw new Error(`${nameOf(entry)} is damaged: its checksum is another`);
  }
}

async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** The library knows its chunks as anything. */
async function* bytesOfEntry(source: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) if (chunk instanceof Uint8Array) yield chunk;
}
