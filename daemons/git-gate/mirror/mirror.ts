import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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

/** How git calls a directory in which the objects of a push wait for the decision. */
export const QUARANTINE_PREFIX = 'tmp_objdir-';

/** The least that git may take at once for an object of a push or for the list of a million of them. In bytes. */
const LEAST_MEMORY = 128 * 1024 ** 2;

/**
 * The most that git may take at once while it unpacks a push (its GIT_ALLOC_LIMIT), in bytes: a few bytes of a delta can stand
 * for gigabytes. A larger file that is no delta is not held in memory, and so comes as far as the rule that refuses it by its size.
 */
export function mostMemory({ rules }: Repo): number {
  return Math.max(rules.maxBlob, LEAST_MEMORY);
}

const PRE_RECEIVE_NAME = 'pre-receive';

function hooksPath(settings: Pick<Settings, 'data'>): string {
  return join(settings.data, 'hooks');
}

/**
 * Why git would pass over the hook that asks the gate, as the end of a sentence; undefined where it runs it. git takes a
 * push without a word to anybody where the hook is not there or may not be run (githooks(5)).
 */
export function faultOfHook(settings: Pick<Settings, 'data'>): string | undefined {
  const hook = join(hooksPath(settings), PRE_RECEIVE_NAME);
  try {
    accessSync(hook, constants.X_OK);
    return undefined;
  } catch {
    return `${hook} cannot be run: GIT_GATE_DATA must not be mounted noexec, and nobody else may change it`;
  }
}

/** Makes the data directory ready, and empties it of what an earlier run left behind. Throws where it cannot be used. */
export function prepareData(settings: Settings): void {
  mkdirSync(mirrorsPath(settings), { recursive: true, mode: 0o700 });
  rmSync(scratchPath(settings), { recursive: true, force: true });
  mkdirSync(scratchPath(settings), { mode: 0o700 });
  // Of every repository, also of those that git-gate.yaml no longer names: later there may be pushes under way.
  for (const mirror of list(mirrorsPath(settings))) cleanUp(join(mirrorsPath(settings), mirror));
  writeFileSync(globalConfig(settings.data), GLOBAL_CONFIG);
  const hook = join(hooksPath(settings), PRE_RECEIVE_NAME);
  mkdirSync(hooksPath(settings), { recursive: true, mode: 0o755 });
  rmSync(`${hook}.new`, { force: true });
  writeFileSync(`${hook}.new`, PRE_RECEIVE, { mode: 0o555 });
  renameSync(`${hook}.new`, hook);
  const fault = faultOfHook(settings);
  if (fault !== undefined) throw new Error(fault);
}

/** Makes the mirror where there is none, and writes its configuration anew. Throws a sentence. */
export async function prepareMirror(settings: Settings, repo: Repo, limits: Limits): Promise<void> {
  const path = mirrorPath(settings, repo.name);
  const mark = join(path, 'git-gate-upstream');
  const isOfOther = existsSync(path) && readText(mark) !== repo.upstream.place;
  // Its refs would count as known to the new upstream, and what they hold would not be scanned.
  if (isOfOther) rmSync(path, { recursive: true, force: true });
  if (!existsSync(path)) {
    const made = await runGit(['init', '--quiet', '--bare', '--initial-branch=main', '--template=', path], {
      cwd: settings.data,
      env: gitEnvironment(settings),
      timeout: 30_000,
    });
    if (!made.ok)
      throw new Error(`cannot make the mirror ${path}: ${made.stderr.trim() || JSON.stringify(made.ended)}`);
  }
  const config = join(path, 'config');
  writeFileSync(`${config}.new`, mirrorConfig(settings, repo, limits));
  renameSync(`${config}.new`, config);
  writeFileSync(mark, repo.upstream.place);
}

/** Removes lock files, and the objects of pushes that never ended. Only while no git works in this mirror. */
export function cleanUp(path: string): void {
  for (const entry of list(join(path, 'objects'))) {
    if (entry.startsWith(QUARANTINE_PREFIX)) rmSync(join(path, 'objects', entry), { recursive: true, force: true });
  }
  for (const entry of list(join(path, 'objects', 'pack'))) {
    if (entry.startsWith('tmp_')) rmSync(join(path, 'objects', 'pack', entry), { force: true });
  }
  for (const entry of list(path)) if (entry.endsWith('.lock')) rmSync(join(path, entry), { force: true });
  for (const entry of list(join(path, 'refs'), true)) {
    if (entry.endsWith('.lock')) rmSync(join(path, 'refs', entry), { force: true });
  }
  rmSync(join(path, 'shallow'), { force: true });
}

/** git-config(1). Nothing of it comes from the agent, and of the operator only numbers. */
function mirrorConfig(settings: Settings, repo: Repo, limits: Limits): string {
  return `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	hooksPath = "${hooksPath(settings)}"
	logAllRefUpdates = false
	bigFileThreshold = ${mostMemory(repo)}
[pack]
	# Each thread holds objects of its own in memory while it unpacks a push.
	threads = 2
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

function list(path: string, recursive = false): readonly string[] {
  return existsSync(path) ? readdirSync(path, { recursive, encoding: 'utf8' }) : [];
}

function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
