import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readTextFile } from '../config/files.ts';
import { type Problem, problemOf } from '../config/problem.ts';
import { isAsRendered } from './seal.ts';

/** What became of each file, by path; or the files that may not be overwritten, and then nothing was written. */
export type Written =
  | { readonly ok: true; readonly files: readonly (readonly [path: string, change: 'written' | 'unchanged'])[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Writes sealed files into a directory: all, or none where one was changed since it was rendered, or never was rendered, unless `force`.
 * What is the same already is not touched. Daemons with users of their own read them, so they are readable by all; they hold
 * no secrets. Throws what the system says.
 */
export function writeFiles(directory: string, files: ReadonlyMap<string, string>, force: boolean): Written {
  const before = new Map([...files.keys()].map((path) => [path, readTextFile(join(directory, path))]));
  const problems = [...before].flatMap(([path, read]): Problem[] => {
    const place = join(directory, path);
    if (!read.ok) return read.fault === 'missing' || force ? [] : [problemOf(place, read.reason)];
    if (force || read.text === files.get(path) || isAsRendered(read.text)) return [];
    return [problemOf(place, CHANGED, REMEDY)];
  });
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    files: [...files].map(([path, text]) => {
      const read = before.get(path);
      if (read?.ok === true && read.text === text) return [path, 'unchanged'] as const;
      writeFile(join(directory, path), text);
      return [path, 'written'] as const;
    }),
  };
}

const CHANGED = 'is not as it was rendered: someone has changed it, an approved proposal say; nothing was written';

const REMEDY = 'put what it says into bottle.yaml if it is to stay, then render with --force';

/** By a new file in its place, so that a reader sees the old text or the new one. */
function writeFile(path: string, text: string): void {
  // The umask must not decide who can read it.
  if (mkdirSync(dirname(path), { recursive: true }) !== undefined) chmodSync(dirname(path), 0o755);
  const draft = join(dirname(path), `.${basename(path)}.next`);
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { flag: 'wx', mode: 0o644 });
  chmodSync(draft, 0o644);
  renameSync(draft, path);
}
