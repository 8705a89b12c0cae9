import { spawn } from 'node:child_process';
import type { Environment } from '../git/environment.ts';
import { collect, endGroup, endOf } from '../git/process.ts';
import { byteLines } from './byte-lines.ts';

/** One object that upstream does not have yet. */
export interface NewObject {
  readonly id: string;
  readonly type: 'commit' | 'tree' | 'blob' | 'tag';
  readonly size: number;
  /** Of trees and blobs: a path at which it stands. Another may exist. Empty for the root. */
  readonly path: string;
}

/** Where to look for objects: the mirror and what has just arrived. */
export interface Store {
  readonly cwd: string;
  readonly env: Environment;
  readonly signal: AbortSignal;
}

/** More new objects than this in one push are refused: their list is held in memory. */
const MOST_OBJECTS = 1_000_000;
/** No system opens a longer path (PATH_MAX of Linux), and each directory around repeats the paths of all that is in it. */
const MOST_PATH = 4096;
/** Of all paths together, in bytes: they are held in memory too. */
const MOST_PATHS = 256 * 1024 ** 2;
/** What stands before the path in a line: id, type and size. */
const HEAD_OF_LINE = 100;

/**
 * Every object that `tips` reach and no ref of the mirror does, with type and size, before any of it is read. The tips
 * are object ids, never words of the agent. Rejects with a sentence where git cannot tell.
 */
export async function newObjects(tips: readonly string[], { cwd, env, signal }: Store): Promise<readonly NewObject[]> {
  const objects: NewObject[] = [];
  let pathBytes = 0;
  const list = spawn('git', ['rev-list', '--objects', ...tips, '--not', '--all'], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const check = spawn('git', ['cat-file', '--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)'], {
    cwd,
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stop = () => [list, check].forEach(endGroup);
  signal.addEventListener('abort', stop);
  const said = [collect(list.stderr), collect(check.stderr)];
  const ends = [endOf(list), endOf(check)];
  check.stdin.on('error', () => {});
  list.stdout.pipe(check.stdin);
  try {
    for await (const line of byteLines(check.stdout)) {
      if (line.length > MOST_PATH + HEAD_OF_LINE)
        throw new Error(`the push holds a path of more than ${MOST_PATH} bytes`);
      pathBytes += line.length;
      if (pathBytes > MOST_PATHS)
        throw new Error(`the paths of the push have more than ${MOST_PATHS} bytes altogether`);
      const [, id, type, size, path] =
        /^([0-9a-f]{40,64}) (commit|tree|blob|tag) (\d+) (.*)$/s.exec(line.toString('utf8')) ?? [];
      if (id === undefined || size === undefined || path === undefined)
        throw new Error('an object of the push is missing');
      if (objects.length >= MOST_OBJECTS) throw new Error(`the push holds more than ${MOST_OBJECTS} new objects`);
      objects.push({ id, type: typeOf(type), size: Number(size), path });
    }
    for (const ended of await Promise.all(ends)) {
      if (ended.kind !== 'exit' || ended.code !== 0)
        throw new Error(`git cannot list what is new: ${said.map((text) => text().trim()).join(' ')}`);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
  return objects;
}

function typeOf(word: string | undefined): NewObject['type'] {
  if (word === 'commit' || word === 'tree' || word === 'tag') return word;
  return 'blob';
}

/**
 * The content of objects in the order of `objects`, one after the other, by one process. Rejects with a sentence where
 * one cannot be read whole.
 */
export async function* contents(
  objects: readonly NewObject[],
  { cwd, env, signal }: Store,
): AsyncGenerator<{ readonly object: NewObject; readonly bytes: Buffer }> {
  const child = spawn('git', ['cat-file', '--batch', '--buffer'], {
    cwd,
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const stop = () => endGroup(child);
  signal.addEventListener('abort', stop);
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.stdin.end(objects.map(({ id }) => `${id}\n`).join(''));
  const reader = exactReader(child.stdout);
  try {
    for (const object of objects) {
      const head = `${object.id} ${object.type} ${object.size}\n`;
      const said = await reader.read(head.length);
      if (said?.toString('latin1') !== head) throw new Error(`git cannot read the object ${object.id}`);
      const bytes = await reader.read(object.size + 1);
      if (bytes === undefined) throw new Error(`git ended within the object ${object.id}`);
      yield { object, bytes: bytes.subarray(0, object.size) };
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** Reads just so many bytes of a stream at a time; undefined where it ends before. */
function exactReader(stream: NodeJS.ReadableStream): { read(count: number): Promise<Buffer | undefined> } {
  const chunks = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  return {
    async read(count) {
      const parts: Buffer[] = [rest];
      let size = rest.length;
      while (size < count) {
        const next = await chunks.next();
        if (next.done === true) return undefined;
        const chunk = Buffer.isBuffer(next.value) ? next.value : Buffer.from(next.value);
        parts.push(chunk);
        size += chunk.length;
      }
      const all = parts.length === 1 ? rest : Buffer.concat(parts, size);
      rest = all.subarray(count);
      return all.subarray(0, count);
    },
  };
}
