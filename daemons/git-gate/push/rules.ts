import type { RepoRules } from '../config/load.ts';
import { matchesRef } from '../config/ref-pattern.ts';
import { isNone, type RefChange } from './hook.ts';

/** What is known of a repository when a push is judged by its refs alone. */
export interface Around {
  readonly rules: RepoRules;
  /** The refs of the mirror, by name. */
  readonly refs: ReadonlyMap<string, string>;
  /** The names of these and of all refs that the push changes, by what they are where case does not count. */
  readonly names: ReadonlyMap<string, ReadonlySet<string>>;
  /** How many refs the repository has with those of the push, and how many it may have. */
  readonly count: number;
  readonly mostRefs: number;
  /** Upstream's default branch, as the mirror knows it. */
  readonly defaultBranch: string | undefined;
}

/** Why a ref may not change so. `rule` is a stable name for logs. */
export interface Refusal {
  readonly rule: string;
  readonly ref: string;
  readonly reason: string;
}

/** Puts names together that differ in case only. */
export function namesByCase(refs: Iterable<string>): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const ref of refs) {
    const folded = ref.toLowerCase();
    names.set(folded, (names.get(folded) ?? new Set()).add(ref));
  }
  return names;
}

/** Judges one change by the rules that need no object. Undefined: it may go on to be scanned. */
export function judgeRef(
  { old, new: next, ref }: RefChange,
  { rules, refs, names, count, mostRefs, defaultBranch }: Around,
): Refusal | undefined {
  const refuse = (rule: string, reason: string): Refusal => ({ rule, ref, reason });
  if (rules.readOnly) return refuse('read-only', `this repository is read-only here (${OPERATOR}: read_only)`);
  const isTag = ref.startsWith('refs/tags/');
  if (!isTag && !ref.startsWith('refs/heads/')) return refuse('ref-namespace', 'only branches and tags pass the gate');
  if (!isRefName(ref)) return refuse('ref-name', 'this is no name of a ref that git takes everywhere');
  if (rules.protectedRefs.some((pattern) => matchesRef(pattern, ref))) {
    return refuse(
      'protected',
      `it is protected; push another branch and let a person merge it (${OPERATOR}: protected)`,
    );
  }
  const known = refs.get(ref);
  if ((known ?? NONE) !== (isNone(old) ? NONE : old)) {
    return refuse('stale', 'it has changed upstream meanwhile; fetch, merge or rebase, and push again');
  }
  const alike = known === undefined ? names.get(ref.toLowerCase()) : undefined;
  const twin = [...(alike ?? [])].find((other) => other !== ref);
  if (twin !== undefined) return refuse('ref-name', `it differs from ${twin} only in case`);
  if (isTag && rules.tags === 'none') return refuse('tags', `no tags may be pushed (${OPERATOR}: tags)`);
  if (isNone(next)) {
    if (!rules.allowDelete) return refuse('delete', `nothing may be deleted (${OPERATOR}: allow_delete)`);
    if (ref === defaultBranch) return refuse('delete', 'the default branch is never deleted');
    if (known === undefined) return refuse('delete', 'there is no such ref upstream');
    return undefined;
  }
  if (isTag && known !== undefined && rules.tags !== 'any')
    return refuse('tags', `a tag that exists is not moved (${OPERATOR}: tags)`);
  if (known === undefined && count > mostRefs)
    return refuse('max-refs', `the repository would have more than ${mostRefs} refs (${OPERATOR}: limits.max_refs)`);
  return undefined;
}

/**
 * git-check-ref-format(1), and no more than a Windows or macOS checkout of the same repository could hold. Nor a name that
 * git takes for another thing (gitrevisions(7)): an object id, HEAD, or a ref written out, which would make `refs/heads/main`
 * ambiguous for everybody who pushes there.
 */
export function isRefName(ref: string): boolean {
  if (ref.length > 250 || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\uFFFD ~^:?*[\\]/u.test(ref)) return false;
  if (ref.includes('..') || ref.includes('@{') || ref.includes('//') || ref.endsWith('.') || ref.endsWith('/'))
    return false;
  if (/^refs\/(?:heads|tags)\/(?:refs\/.*|HEAD|@|[0-9a-f]{40}|[0-9a-f]{64})$/i.test(ref)) return false;
  return ref
    .split('/')
    .every((part) => part !== '' && !part.startsWith('.') && !part.startsWith('-') && !/\.lock$/i.test(part));
}

const NONE = '';
const OPERATOR = 'the operator decides, in git-gate.yaml';
