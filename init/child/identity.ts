import type { DaemonSpec } from '../bundle/schema.ts';
import { type Account, type Accounts, findGroup, findUser, isNumber } from './accounts.ts';
import { holds } from './capabilities.ts';
import type { Standing } from './standing.ts';

/** Who a daemon is. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, its first group not among them. */
  readonly groups: readonly number[];
  /** Its line of /etc/passwd, where there is one. */
  readonly account: Account | undefined;
}

/**
 * The user, group and supplementary groups that `user` and `group_add` ask for, by Docker's rules: `user` alone brings
 * that user's groups, `user:group` only that group, and a number unknown to /etc/passwd has the first group 0. Without
 * `user`, and under an init that has to stay who it is, it is the init's own.
 */
export function resolveIdentity(
  spec: Pick<DaemonSpec, 'user' | 'group_add'>,
  standing: Standing,
  accounts: Accounts,
): { readonly identity: Identity; readonly problems: readonly string[] } {
  const problems: string[] = [];
  if ((spec.user !== undefined || spec.group_add.length > 0) && hasToStay(standing)) {
    return { identity: ownIdentity(standing, accounts), problems };
  }
  const base = spec.user === undefined ? ownIdentity(standing, accounts) : named(spec.user, accounts, problems);
  const added = spec.group_add.map((group) => groupNumber(String(group), 'group_add', accounts, problems));
  const groups = [...new Set([...base.groups, ...added])].filter((gid) => gid !== base.gid);
  return { identity: { ...base, groups }, problems };
}

/**
 * True where the container was given a user (docker run --user 1000): then all of it is to run as that one. Root
 * without SETUID and SETGID is another matter: daemons that were to lose its rights would keep them.
 */
export function hasToStay(standing: Standing): boolean {
  return standing.uid !== 0 && !(holds(standing, 'setuid') && holds(standing, 'setgid'));
}

/**
 * Those of these daemons that have a user of their own by the bundle file, and run as the init's instead since it has to stay
 * who it is.
 */
export function sharingOwnUser(
  daemons: Readonly<Record<string, Pick<DaemonSpec, 'user' | 'group_add'>>>,
  standing: Standing,
  accounts: Accounts,
): readonly string[] {
  const asking = Object.entries(daemons).filter(([, { user }]) => user !== undefined);
  if (asking.length === 0 || !hasToStay(standing)) return [];
  return asking.filter(([, { user = '' }]) => named(user, accounts, []).uid !== standing.uid).map(([name]) => name);
}

function ownIdentity(standing: Standing, accounts: Accounts): Identity {
  return {
    uid: standing.uid,
    gid: standing.gid,
    groups: standing.groups,
    account: accounts.users.find((user) => user.uid === standing.uid),
  };
}

function named(text: string, accounts: Accounts, problems: string[]): Identity {
  const colon = text.indexOf(':');
  const userText = colon < 0 ? text : text.slice(0, colon);
  const groupText = colon < 0 ? undefined : text.slice(colon + 1);
  const account = findUser(accounts, userText);
  if (account === undefined && !isNumber(userText)) {
    problems.push(
      `user: there is no user "${userText}" in /etc/passwd: add it to the image (useradd --system ${userText || 'name'}), or write a number`,
    );
  }
  const uid = account?.uid ?? (isNumber(userText) ? Number(userText) : 0);
  if (groupText !== undefined) {
    return { uid, gid: groupNumber(groupText, 'user', accounts, problems), groups: [], account };
  }
  const memberships = accounts.groups.filter((group) => account !== undefined && group.members.includes(account.name));
  return { uid, gid: account?.gid ?? 0, groups: memberships.map((group) => group.gid), account };
}

function groupNumber(text: string, key: string, accounts: Accounts, problems: string[]): number {
  const group = findGroup(accounts, text);
  if (group !== undefined) return group.gid;
  if (isNumber(text)) return Number(text);
  problems.push(
    `${key}: there is no group "${text}" in /etc/group: add it to the image (groupadd --system ${text || 'name'}), or write a number`,
  );
  return 0;
}
