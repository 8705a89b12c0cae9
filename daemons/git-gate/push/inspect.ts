import { describeByteSize } from '../../../config/byte-size.ts';
import type { Scanner } from '../../scanner/finding.ts';
import type { RepoRules } from '../config/load.ts';
import { contents, type NewObject, type Store } from './objects.ts';
import type { Found, Piece, PieceScan } from './scan.ts';
import { createPieceScan } from './scan.ts';
import type { SecondOpinion } from './second-opinion.ts';
import { treeEntries } from './tree.ts';

/** Where in a push something stands. */
export type Where =
  | { readonly kind: 'file'; readonly id: string; readonly path: string }
  /** `head`: its fields, up to and with the empty line before the message. */
  | { readonly kind: 'commit' | 'tag'; readonly id: string; readonly head: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'ref'; readonly ref: string };

/** A rule that an object breaks by what it is, not by what it hides. */
export interface ObjectFault {
  readonly rule: string;
  readonly path: string;
  readonly reason: string;
}

/** What one push brings, looked at as a whole. */
export interface Inspection {
  readonly found: readonly Found<Where>[];
  readonly faults: readonly ObjectFault[];
}

/** The most bytes of new objects, and of one of them. */
export interface Bounds {
  readonly maxContent: number;
  readonly rules: RepoRules;
}

/** What scans: the bundle's own scanner, and a second one for files and messages where it is installed. */
export interface Engines {
  readonly scanner: Scanner;
  readonly second: SecondOpinion;
}

/** A tree, a commit or a tag that is larger is refused, whatever files may be. */
const MOST_METADATA = 32 * 1024 ** 2;
/** Of the fields of a commit or a tag. A signature has a few kilobytes. */
const MOST_HEAD = 64 * 1024;
/** Faults that are told. */
const MOST_FAULTS = 20;

/** The rules that sizes alone decide: asked before a single object is read. */
export function faultsOfSizes(objects: readonly NewObject[], { maxContent, rules }: Bounds): readonly ObjectFault[] {
  const faults: ObjectFault[] = [];
  let total = 0;
  for (const { type, size, path } of objects) {
    total += size;
    const most = type === 'blob' ? rules.maxBlob : MOST_METADATA;
    if (size <= most || faults.length >= MOST_FAULTS) continue;
    const reason = `it has ${describeByteSize(size)}; what is larger than ${describeByteSize(most)} is not scanned, and so not pushed`;
    faults.push({ rule: 'max-blob', path: path === '' ? `a ${type}` : path, reason });
  }
  if (total > maxContent) {
    const reason = `its new objects hold ${describeByteSize(total)} unpacked; at most ${describeByteSize(maxContent)} are taken at once`;
    faults.push({ rule: 'max-content', path: 'the push', reason });
  }
  return faults;
}

/**
 * Scans what is new, whole: files, the objects of commits and tags (message, author, committer and every other field),
 * every name in every new directory, and the names of the refs. Rejects with a sentence where anything cannot be scanned.
 */
export async function inspect(
  objects: readonly NewObject[],
  refs: readonly string[],
  rules: RepoRules,
  { scanner, second }: Engines,
  store: Store,
): Promise<Inspection> {
  const scan: PieceScan<Where> = createPieceScan(scanner);
  const faults: ObjectFault[] = [];
  for (const ref of refs) await scan.add({ bytes: Buffer.from(ref), where: { kind: 'ref', ref } });
  for await (const { object, bytes } of contents(objects, store)) {
    const { id, type, path } = object;
    if (type === 'blob') {
      if (!rules.allowLfs && isLfsPointer(bytes) && faults.length < MOST_FAULTS) faults.push(lfsFault(path));
      await addTo([scan, second], { bytes, where: { kind: 'file', id, path } });
    } else if (type === 'tree') await addNames(scan, path, bytes, id.length / 2);
    else await addTo([scan, second], { bytes, where: { kind: type, id, head: headOf(bytes) } });
  }
  const [own, others] = await Promise.all([scan.finish(), second.finish()]);
  const known = new Set(own.map(({ finding }) => finding.digest));
  // The operator answers for a secret once, by whichever name it was found.
  return { found: [...own, ...others.filter(({ finding }) => !known.has(finding.digest))], faults };
}

async function addTo(takers: readonly Pick<PieceScan<Where>, 'add'>[], piece: Piece<Where>): Promise<void> {
  await Promise.all(takers.map((taker) => taker.add(piece)));
}

async function addNames(scan: PieceScan<Where>, path: string, tree: Buffer, idBytes: number): Promise<void> {
  const prefix = Buffer.from(path === '' ? '' : `${path}/`);
  for (const { name } of treeEntries(tree, idBytes)) {
    const bytes = Buffer.concat([prefix, name]);
    await scan.add({ bytes, where: { kind: 'path', path: bytes.toString('utf8') } });
  }
}

/** Of a message nothing is kept: findings in a hundred of them, which may be megabytes long, would keep them all in memory. */
function headOf(object: Buffer): string {
  const end = object.indexOf('\n\n');
  return object.toString('utf8', 0, Math.min(end < 0 ? object.length : end + 2, MOST_HEAD));
}

/** The pointer file of Git LFS (github.com/git-lfs/git-lfs, docs/spec.md), of either of its names. */
function isLfsPointer(bytes: Buffer): boolean {
  return (
    bytes.length < 1024 &&
    /^\s*version https:\/\/(?:git-lfs\.github\.com|hawser\.github\.com)\/spec\//.test(bytes.toString('latin1'))
  );
}

function lfsFault(path: string): ObjectFault {
  const reason =
    'it is a Git LFS pointer, and what it points to does not pass the gate unscanned; commit the file itself';
  return { rule: 'lfs', path, reason };
}
