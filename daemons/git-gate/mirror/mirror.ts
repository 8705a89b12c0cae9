import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Repo } from '../config/load.ts';
import type { Limits } from '../config/schema.ts';
import { GLOBAL_CONFIG, gitEnvironment, globalConfig } from '../git/environment.ts';
import { runGit } from '../git/process.ts';
import { PRE_RECEIVE } from '../push/hook.ts';
import type { Settings } from '../settings.ts';

/** Where the mirror of a repository is. */
export function mirrorPath(settings: Pick<Settings, 'data'>, name: string): string {
  return join(mirrorsPath(settings), `${name}.git`);
}

/** The directory of all mirrors. */
export function mirrorsPath(settings: Pick<Settings, 'data'>): string {
  return join(settings.data, 'mirrors');
}

/** The directory for what lives no longer than one push. */
export function scratchPath(settings: Pick<Settings, 'data'>): string {
  return join(settings.data, 'scratch');
}

function hooksPath(settings: Pick<Settings, 'data'>): string {
  return join(settings.data, 'hooks');
}

/** Makes the data directory ready, and empties it of what an earlier run left behind. Throws where it cannot be written. */
export function prepareData(settings: Settings): void {
  mkdirSync(mirrorsPath(settings), { recursive: true, mode: 0o700 });
  rmSync(scratchPath(settings), { recursive: true, force: true });
  mkdirSync(scratchPath(settings), { mode: 0o700 });
  writeFileSync(globalConfig(settings.data), GLOBAL_CONFIG);
  const hooks = hooksPath(settings);
  rmSync(hooks, { recursive: true, force: true });
  mkdirSync(hooks, { mode: 0o755 });
  writeFileSync(join(hooks, 'pre-receive'), PRE_RECEIVE, { mode: 0o555 });
}

/** Makes the mirror where there is none, writes its configuration anew, and cleans up what a killed git left. Throws a sentence. */
export async function prepareMirror(settings: Settings, repo: Repo, limits: Limits): Promise<void> {
  const path = mirrorPath(settings, repo.name);
  const mark = join(path, 'git-gate-upstream');
  const isOfOther = existsSync(path) && readText(mark) !== repo.upstream.place;
  // Its refs would count as known to the new upstream, and what they hold would not be scanned.
  if (isOfOther) rmSync(path, { recursive: true, force: true });
  if (!existsSync(path)) {
    const made = await runGit(['init', '--quiet', '--bare', '--template=', path], {
      cwd: settings.data,
      env: gitEnvironment(settings),
      timeout: 30_000,
    });
    if (!made.ok)
      throw new Error(`cannot make the mirror ${path}: ${made.stderr.trim() || JSON.stringify(made.ended)}`);
  }
  cleanUp(path);
  const config = join(path, 'config');
  writeFileSync(`${config}.new`, mirrorConfig(settings, limits));
  renameSync(`${config}.new`, config);
  writeFileSync(mark, repo.upstream.place);
}

/** Removes lock files, and the objects of pushes that never ended. Only while no git works in this mirror. */
export function cleanUp(path: string): void {
  for (const entry of list(join(path, 'objects'))) {
    if (entry.startsWith('tmp_objdir-')) rmSync(join(path, 'objects', entry), { recursive: true, force: true });
  }
  for (const entry of list(join(path, 'objects', 'pack'))) {
    if (entry.startsWith('tmp_')) rmSync(join(path, 'objects', 'pack', entry), { force: true });
  }
  for (const entry of list(path)) if (entry.endsWith('.lock')) rmSync(join(path, entry), { force: true });
  for (const entry of readdirSync(join(path, 'refs'), { recursive: true, encoding: 'utf8' })) {
    if (entry.endsWith('.lock')) rmSync(join(path, 'refs', entry), { force: true });
  }
  rmSync(join(path, 'shallow'), { force: true });
}

/** git-config(1). Nothing of it comes from the agent, and of the operator only numbers. */
function mirrorConfig(settings: Settings, limits: Limits): string {
  return `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	hooksPath = "${hooksPath(settings)}"
	logAllRefUpdates = false
[gc]
	auto = 0
[maintenance]
	auto = false
[protocol]
	version = 2
[http]
	receivepack = true
	uploadpack = true
	getanyfile = false
	uploadarchive = false
[uploadpack]
	allowFilter = true
	keepAlive = 5
[transfer]
	fsckObjects = true
	unpackLimit = 1
	credentialsInUrl = die
	advertiseSID = false
[fetch]
	# Old histories hold objects that today's git would not make. Upstream has them already, and they are not pushed again.
	fsckObjects = false
	recurseSubmodules = false
[receive]
	fsckObjects = true
	unpackLimit = 1
	maxInputSize = ${limits.max_push}
	advertisePushOptions = true
	autogc = false
	shallowUpdate = false
	denyDeletes = false
	denyNonFastForwards = false
	updateServerInfo = false
	keepAlive = 5
[receive "fsck"]
	gitmodulesParse = error
`;
}

function list(path: string): readonly string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
