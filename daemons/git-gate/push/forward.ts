import type { Repo } from '../config/load.ts';
import type { Limits } from '../config/schema.ts';
import { upstreamEnvironment } from '../git/access.ts';
import { runGit } from '../git/process.ts';
import { cleaned, whyUnreachable } from '../mirror/why-unreachable.ts';
import type { Settings } from '../settings.ts';
import { isNone, type RefChange } from './hook.ts';
import type { Store } from './objects.ts';

/** What upstream said to a push. `words` are its own, made fit for a terminal. */
export type Forwarded =
  | { readonly ok: true; readonly words: readonly string[] }
  | { readonly ok: false; readonly words: readonly string[]; readonly reasons: readonly string[] };

export interface ForwardOptions {
  readonly settings: Settings;
  readonly repo: Repo;
  readonly limits: Limits;
  /** The variables under which git sees what has just arrived. */
  readonly quarantine: Readonly<Record<string, string>>;
  readonly store: Store;
}

/** Lines of upstream that are handed on. */
const MOST_WORDS = 50;

/**
 * Pushes to upstream: all changes or none, and each only where upstream's ref is still what the client saw, whatever
 * the client claimed. The objects come out of the quarantine. Never rejects.
 */
export async function forward(changes: readonly RefChange[], options: ForwardOptions): Promise<Forwarded> {
  const { settings, repo, limits, quarantine, store } = options;
  const access = upstreamEnvironment(settings, repo, quarantine);
  if (!access.ok) return { ok: false, words: [], reasons: [`the gate cannot push: ${access.reason}`] };
  const leases = changes.map(({ old, ref }) => `--force-with-lease=${ref}:${isNone(old) ? '' : old}`);
  // A bare id would first be looked for among the names of refs (git-push(1), <src>): a branch may be called like one.
  const refspecs = changes.map((change) => `${isNone(change.new) ? '' : `${change.new}^{object}`}:${change.ref}`);
  const atomic = changes.length > 1 ? ['--atomic'] : [];
  const flags = [
    '--porcelain',
    '--no-progress',
    '--no-verify',
    '--no-signed',
    '--no-follow-tags',
    '--recurse-submodules=no',
  ];
  const ran = await runGit(['push', ...flags, ...atomic, ...leases, '--', repo.upstream.url, ...refspecs], {
    cwd: store.cwd,
    env: access.env,
    timeout: limits.push_timeout,
    signal: store.signal,
  });
  const words = ran.stderr
    .split('\n')
    .filter((line) => /^remote: ?\S/.test(line))
    .slice(0, MOST_WORDS)
    .map((line) => cleaned(line.replace(/^remote: ?/, ''), repo, access.secrets));
  if (ran.ok) return { ok: true, words };
  const reasons = ran.stdout.split('\n').flatMap((line) => {
    const [, ref, why] = /^!\t[^\t]*:([^\t]*)\t\[[^\]]*\] ?\(?(.*?)\)?$/.exec(line) ?? [];
    if (ref === undefined || why === undefined) return [];
    return [
      `upstream does not take ${cleaned(ref, repo, access.secrets)}: ${meaningOf(cleaned(why, repo, access.secrets))}`,
    ];
  });
  if (reasons.length > 0) return { ok: false, words, reasons: reasons.slice(0, MOST_WORDS) };
  return {
    ok: false,
    words,
    reasons: [`upstream could not be pushed to: ${whyUnreachable(ran, repo, access.secrets)}`],
  };
}

function meaningOf(why: string): string {
  if (/^(?:stale info|fetch first|non-fast-forward)$/.test(why))
    return 'it has changed meanwhile; fetch, merge or rebase, and push again';
  return why;
}
