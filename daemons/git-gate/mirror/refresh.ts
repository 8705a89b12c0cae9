import type { Repo } from '../config/load.ts';
import type { Limits } from '../config/schema.ts';
import { upstreamEnvironment } from '../git/access.ts';
import { type Ran, runGit } from '../git/process.ts';
import type { Settings } from '../settings.ts';
import { mirrorPath } from './mirror.ts';
import { whyUnreachable } from './why-unreachable.ts';

export type Refreshed = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Branches and tags as they are upstream now; what is gone there goes here. */
const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

/** Brings the mirror to the state of upstream. Only while this repository is locked. Never rejects. */
export async function fetchFromUpstream(settings: Settings, repo: Repo, limits: Limits): Promise<Refreshed> {
  const access = upstreamEnvironment(settings, repo);
  if (!access.ok) return access;
  const { url } = repo.upstream;
  const options = { cwd: mirrorPath(settings, repo.name), env: access.env, timeout: limits.fetch_timeout };
  const flags = ['--quiet', '--prune', '--force', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance'];
  const fetched = await runGit(['fetch', ...flags, '--no-recurse-submodules', '--', url, ...REFSPECS], options);
  if (!fetched.ok) return { ok: false, reason: whyUnreachable(fetched, repo, access.secrets) };
  return { ok: true };
}

/** Points the mirror's HEAD where upstream's points, so that a clone checks out the right branch. Never rejects. */
export async function copyHead(settings: Settings, repo: Repo, limits: Limits): Promise<Refreshed> {
  const access = upstreamEnvironment(settings, repo);
  if (!access.ok) return access;
  const cwd = mirrorPath(settings, repo.name);
  const options = { cwd, env: access.env, timeout: limits.fetch_timeout };
  const listed = await runGit(['ls-remote', '--quiet', '--symref', '--', repo.upstream.url, 'HEAD'], options);
  if (!listed.ok) return { ok: false, reason: whyUnreachable(listed, repo, access.secrets) };
  const branch = /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(listed.stdout)?.[1];
  // A detached HEAD upstream names no branch: ours stays as it is.
  if (branch === undefined) return { ok: true };
  const set = await runGit(['symbolic-ref', 'HEAD', branch], options);
  return set.ok ? { ok: true } : { ok: false, reason: `HEAD cannot be set: ${firstLine(set)}` };
}

/** Whether HEAD points to a branch that is there. */
export async function isHeadBorn(
  settings: Settings,
  repo: Repo,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const cwd = mirrorPath(settings, repo.name);
  return (await runGit(['rev-parse', '--quiet', '--verify', 'HEAD'], { cwd, env, timeout: 10_000 })).ok;
}

function firstLine(ran: Ran): string {
  return ran.stderr.split('\n', 1)[0] ?? '';
}
