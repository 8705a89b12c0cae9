import { posix } from 'node:path';
import * as z from 'zod/mini';
import { staysWithin } from '../survey.ts';

/** What an archive says of itself, in its first file: `manifest.json`. */

export const CONTENTS_NAME = 'manifest.json';
/** The longest table of contents that is read, in bytes: that of some 250,000 files. */
const MOST_CONTENTS_BYTES = 64 * 1024 * 1024;
const MOST_ENTRIES = 250_000;
/** Each object and list takes many times the room of its text; names may have brackets, too. */
const MOST_BRACKETS = 1_000_000;
const LONGEST_PATH = 4_096;
const MOST_ID = 4_294_967_294;

const id = z.string().check(z.regex(/^[\w.~-]{1,128}\/[\w.~-]{1,255}$/));
const number = z.int().check(z.minimum(0));
const owner = z.int().check(z.minimum(0), z.maximum(MOST_ID));
/** Permissions without set-user-ID and set-group-ID, which no data needs. */
const mode = z.string().check(z.regex(/^[01][0-7]{3}$/));
const common = { place: id, path: z.string().check(z.maxLength(LONGEST_PATH)), uid: owner, gid: owner, mode };

const entry = z.discriminatedUnion('type', [
  z.strictObject({ ...common, type: z.literal('directory'), mtime: number }),
  z.strictObject({
    ...common,
    type: z.literal('file'),
    mtime: number,
    size: number,
    sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  }),
  z.strictObject({ ...common, type: z.literal('symlink'), target: z.string().check(z.maxLength(LONGEST_PATH)) }),
]);

const place = z.strictObject({
  id,
  /** Of what service; empty for a secret. */
  service: z.string(),
  kind: z.enum(['data', 'config', 'secret']),
  /** Where it was. */
  path: z.string(),
});

const contents = z.strictObject({
  format: z.literal(1),
  bundle: z.string(),
  /** Version of bottled that has made it. */
  bottled: z.string(),
  /** RFC 3339, UTC. */
  time: z.string(),
  places: z.array(place),
  entries: z.array(entry).check(z.maxLength(MOST_ENTRIES)),
});

export type Contents = z.output<typeof contents>;
export type Entry = z.output<typeof entry>;
export type ArchivedPlace = z.output<typeof place>;

/** Name of an entry in the archive. */
export function nameOf({ place: within, path }: Pick<Entry, 'place' | 'path'>): string {
  return path === '' ? within : `${within}/${path}`;
}

/** Bytes of all files of an archive. */
export function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, each) => sum + (each.type === 'file' ? each.size : 0), 0);
}

/** A table of contents as text. Throws one line where there is too much in it to be read again. */
export function contentsText(table: Contents): string {
  const text = `${JSON.stringify(table, undefined, 1)}\n`;
  if (table.entries.length > MOST_ENTRIES || !canBeRead(Buffer.byteLength(text))) {
    throw new Error(
      `${table.entries.length} files are more than an archive can hold; see whether all of them are data`,
    );
  }
  return text;
}

/** True for a table of contents of so many bytes. */
export function canBeRead(bytes: number): boolean {
  return bytes <= MOST_CONTENTS_BYTES;
}

/** Reads a table of contents. Throws one line where it is none, or where what it names could end up anywhere but in its places. */
export function readContents(text: string): Contents {
  if (hasTooManyBrackets(text)) throw new Error('its table of contents is too large');
  const parsed = contents.safeParse(jsonOf(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`its table of contents cannot be read: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }
  const fault = faultOf(parsed.data);
  if (fault !== undefined) throw new Error(`its table of contents cannot be believed: ${fault}`);
  return parsed.data;
}

function hasTooManyBrackets(text: string): boolean {
  let left = MOST_BRACKETS;
  for (let at = 0; at < text.length && left >= 0; at++) {
    const letter = text[at];
    if (letter === '[' || letter === '{') left -= 1;
  }
  return left < 0;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function faultOf({ places, entries }: Contents): string | undefined {
  const ids = new Set(places.map((each) => each.id));
  if (ids.size !== places.length) return 'it names a place twice';
  const names = new Map<string, Entry['type']>();
  for (const each of entries) {
    const name = nameOf(each);
    if (!ids.has(each.place)) return `${name} is of no place`;
    if (names.has(name)) return `${name} is there twice`;
    if (each.path !== '') {
      if (!isPlain(each.path)) return `${JSON.stringify(name)} is no plain path`;
      const above = posix.dirname(each.path);
      if (names.get(nameOf({ place: each.place, path: above === '.' ? '' : above })) !== 'directory')
        return `${name} is in no directory`;
    }
    if (each.type === 'symlink' && (each.path === '' || !staysWithin(each.path, each.target)))
      return `${name} is a link that leads out`;
    names.set(name, each.type);
  }
  const empty = places.find(({ id }) => !names.has(id));
  return empty === undefined ? undefined : `of ${empty.id} there is nothing`;
}

function isPlain(path: string): boolean {
  return !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
