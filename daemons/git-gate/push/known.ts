import { runGit } from '../git/process.ts';
import type { Where } from './inspect.ts';
import type { Store } from './objects.ts';
import type { Found } from './scan.ts';

/** Findings beyond these are counted as new without a look: looking costs a walk through history. */
const MOST_LOOKS = 50;
const LOOK_MS = 30_000;

/**
 * Drops what stands in upstream's history already: a file that comes back from an older commit, a name that was there
 * before. It is no news to upstream, and nobody could ever push beside it otherwise.
 */
export async function withoutKnown(found: readonly Found<Where>[], store: Store): Promise<readonly Found<Where>[]> {
  const answers = new Map<string, Promise<boolean>>();
  const fresh: Found<Where>[] = [];
  for (const item of found) {
    const search = searchFor(item.where);
    if (search === undefined) {
      fresh.push(item);
      continue;
    }
    const key = search.join(' ');
    const answer =
      answers.get(key) ?? (answers.size < MOST_LOOKS ? isInHistory(search, store) : Promise.resolve(false));
    answers.set(key, answer);
    if (!(await answer)) fresh.push(item);
  }
  return fresh;
}

/** The short id of the first new commit that brings this file; undefined where it is not told in time. */
export async function commitOf(where: Where, tips: readonly string[], store: Store): Promise<string | undefined> {
  if (where.kind === 'commit') return where.id.slice(0, 10);
  const search = searchFor(where);
  if (search === undefined) return undefined;
  const [option, ...paths] = search;
  if (option === undefined) return undefined;
  const args = [
    'log',
    '-m',
    '--format=%H',
    ...(option === '--' ? [] : [option]),
    ...tips,
    '--not',
    '--all',
    '--',
    ...paths,
  ];
  const listed = await runGit(args, { ...store, timeout: LOOK_MS });
  return listed.ok ? listed.stdout.trim().split('\n').at(-1)?.slice(0, 10) || undefined : undefined;
}

/** Where a walk through history would meet it. A name is taken as it is: no character of it is a pattern. */
function searchFor(where: Where): readonly string[] | undefined {
  if (where.kind === 'file') return [`--find-object=${where.id}`];
  if (where.kind === 'path' && !where.path.includes('\uFFFD')) return ['--', `:(top,literal)${where.path}`];
  return undefined;
}

/** A walk that fails has found nothing: the finding counts. */
async function isInHistory(search: readonly string[], store: Store): Promise<boolean> {
  const listed = await runGit(['log', '-1', '--format=%H', '--all', ...search], { ...store, timeout: LOOK_MS });
  return listed.ok && listed.stdout.trim() !== '';
}
