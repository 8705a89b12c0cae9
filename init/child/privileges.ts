import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { DaemonSpec } from '../bundle/schema.ts';
import type { SpawnError } from '../lifecycle/event.ts';
import { type Accounts, readAccounts } from './accounts.ts';
import { type Capability, holds, planCapabilities } from './capabilities.ts';
import { type Identity, resolveIdentity, sharingOwnUser } from './identity.ts';
import { DEFAULT_PATH, findProgram } from './program.ts';
import { readStanding, type Standing } from './standing.ts';

/** The keys of a daemon that say who it is and what it may do. */
export type PrivilegeSpec = Pick<
  DaemonSpec,
  'user' | 'group_add' | 'cap_add' | 'cap_drop' | 'security_opt' | 'ulimits' | 'oom_score_adj'
>;

/** What has to stand in front of a daemon's command (nothing, where nothing is asked), and who it then is. */
export interface Privileges {
  readonly prefix: readonly string[];
  readonly identity: Identity;
}

/** The tools that change privileges come from the init's own PATH, never from a daemon's. */
export interface PrivilegeSources {
  readonly standing: Standing;
  readonly accounts: Accounts;
  readonly path: string;
}

/** How to start a daemon as `spec` asks, or why that cannot be done: the first problem, in words. */
export function resolvePrivileges(
  spec: PrivilegeSpec,
  sources: PrivilegeSources = readSources(),
): Privileges | { readonly error: SpawnError } {
  const plan = makePlan(spec, sources);
  const [first] = plan.problems;
  return first === undefined ? plan : { error: first };
}

/**
 * Everything about `spec` that cannot be done here, each as one sentence that begins with its key and names the remedy.
 */
export function checkPrivileges(spec: PrivilegeSpec, sources: PrivilegeSources = readSources()): string[] {
  return makePlan(spec, sources).problems.map((problem) => problem.message);
}

/** The daemons that do not get the user whom their entries name, since the init is not root: see {@link sharingOwnUser}. */
export function withoutOwnUsers(
  daemons: Readonly<Record<string, PrivilegeSpec>>,
  { standing, accounts }: PrivilegeSources = readSources(),
): readonly string[] {
  return sharingOwnUser(daemons, standing, accounts);
}

let standing: Standing | undefined;

/** What this machine and this process have to offer. What the init itself may do is read once: it never changes. */
export function readSources(): PrivilegeSources {
  standing ??= readStanding();
  return { standing, accounts: readAccounts(), path: process.env.PATH ?? DEFAULT_PATH };
}

interface Plan extends Privileges {
  readonly problems: readonly SpawnError[];
}

function makePlan(spec: PrivilegeSpec, { standing, accounts, path }: PrivilegeSources): Plan {
  const { identity, problems: unknown } = resolveIdentity(spec, standing, accounts);
  const switching = planSwitch(spec, identity, standing);
  const capabilities = planCapabilities(spec, identity.uid, standing);
  const limits = planLimits(spec, standing);
  const setpriv = [
    ...new Set([
      ...switching.arguments,
      ...(spec.security_opt.some((option) => option !== 'no-new-privileges:false') ? ['--no-new-privs'] : []),
      ...capabilities.arguments,
    ]),
  ];
  const tools = [chain('prlimit', limits.arguments, path), chain('setpriv', setpriv, path)];
  return {
    identity,
    prefix: tools.flatMap((tool) => tool.words),
    problems: [
      ...unknown.map((message) => ({ errno: 'ENOENT', message })),
      ...[...switching.problems, ...capabilities.problems, ...limits.problems, ...oomProblems(spec, standing)].map(
        (message) => ({ errno: 'EPERM', message }),
      ),
      ...tools.flatMap((tool) => tool.problems),
    ],
  };
}

interface Arguments {
  readonly arguments: readonly string[];
  readonly problems: readonly string[];
}

const NOTHING: Arguments = { arguments: [], problems: [] };

function planSwitch(spec: PrivilegeSpec, identity: Identity, standing: Standing): Arguments {
  if (spec.user === undefined && spec.group_add.length === 0) return NOTHING;
  const sameUser = identity.uid === standing.uid && identity.gid === standing.gid;
  const current = new Set([...standing.groups, standing.gid]);
  const hasGroups = identity.groups.every((gid) => current.has(gid));
  if (sameUser && hasGroups && (identity.groups.length === 0) === (standing.groups.length === 0)) return NOTHING;
  const key = spec.user === undefined ? 'group_add' : 'user';
  const needed: readonly Capability[] = identity.uid === standing.uid ? SWITCH : [...SWITCH, 'chown', 'kill'];
  const lacking = needed.filter((capability) => !holds(standing, capability)).map((name) => name.toUpperCase());
  if (lacking.length === 0) {
    const groups = identity.groups.length === 0 ? '--clear-groups' : `--groups=${identity.groups.join(',')}`;
    return { arguments: [`--reuid=${identity.uid}`, `--regid=${identity.gid}`, groups], problems: [] };
  }
  if (sameUser && (hasGroups || spec.group_add.length === 0)) return NOTHING;
  const added = lacking.map((name) => `--cap-add ${name}`).join(' ');
  return {
    arguments: [],
    problems: [
      `${key}: the init cannot run it as another user: it lacks ${lacking.join(', ')}; give the container what is missing (${added}), or one user for all (--user 1000)`,
    ],
  };
}

/** What it takes to become another user; CHOWN to hand over what is that user's, and KILL to stop it. */
const SWITCH: readonly Capability[] = ['setgid', 'setuid'];

function planLimits(spec: PrivilegeSpec, standing: Standing): Arguments {
  const words: string[] = [];
  const problems: string[] = [];
  for (const [name, limit] of Object.entries(spec.ulimits)) {
    if (limit === undefined) continue;
    const [soft, hard] = [limit.soft, limit.hard].map((value) => (value === -1 ? Number.POSITIVE_INFINITY : value));
    if (soft === undefined || hard === undefined) continue;
    words.push(`--${name}=${written(soft)}:${written(hard)}`);
    if (soft > hard)
      problems.push(`ulimits.${name}: the soft limit ${written(soft)} is above the hard one, ${written(hard)}`);
    const ceiling =
      Object.entries(standing.hardLimits).find(([other]) => other === name)?.[1] ?? Number.POSITIVE_INFINITY;
    if (hard > ceiling && !holds(standing, 'sys_resource')) {
      problems.push(
        `ulimits.${name}: ${written(hard)} is above the init's own hard limit of ${written(ceiling)}, which only SYS_RESOURCE may raise: raise it for the container (docker run --ulimit)`,
      );
    }
  }
  return { arguments: words, problems };
}

function written(limit: number): string {
  return Number.isFinite(limit) ? String(limit) : 'unlimited';
}

function oomProblems({ oom_score_adj: asked }: PrivilegeSpec, standing: Standing): string[] {
  if (asked === undefined || asked >= standing.oomScoreAdj || holds(standing, 'sys_resource')) return [];
  return [
    `oom_score_adj: ${asked} is below the init's own ${standing.oomScoreAdj}, which needs the capability SYS_RESOURCE: give it to the container, or ask for ${standing.oomScoreAdj} or more`,
  ];
}

interface Tool {
  readonly words: readonly string[];
  readonly problems: readonly SpawnError[];
}

/** A tool of util-linux with its arguments, ready to have a command appended; nothing where there are no arguments. */
function chain(name: 'setpriv' | 'prlimit', options: readonly string[], path: string): Tool {
  if (options.length === 0) return { words: [], problems: [] };
  const found = findProgram(name, path, '/');
  if ('path' in found && !isBusybox(found.path)) return { words: [found.path, ...options, '--'], problems: [] };
  const what =
    'path' in found
      ? `${name}: ${found.path} is BusyBox's, which cannot do ${options[0]}`
      : `${name}: not found, and needed for user, groups, capabilities, security_opt or ulimits`;
  const message = `${what}: install util-linux's (apt-get install util-linux, or apk add ${name === 'setpriv' ? 'setpriv' : 'util-linux-misc'})`;
  return { words: [], problems: [{ errno: 'ENOENT', message }] };
}

function isBusybox(file: string): boolean {
  try {
    return basename(realpathSync(file)) === 'busybox';
  } catch {
    return false;
  }
}
