import { readFileSync, statSync } from 'node:fs';

/** A line of /etc/passwd. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** A line of /etc/group. */
export interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The users and groups of this image, as its files say (passwd(5), group(5)). Nothing but the files is asked. */
export interface Accounts {
  readonly users: readonly Account[];
  readonly groups: readonly Group[];
}

const cached: { passwd?: Versioned<Account>; group?: Versioned<Group> } = {};

/**
 * Reads both files, anew where one has changed since the last time: a one-shot of the bundle may have added a user. A
 * file that is not there has no entries.
 */
export function readAccounts(passwd = '/etc/passwd', group = '/etc/group'): Accounts {
  cached.passwd = refreshed(cached.passwd, passwd, parseAccount);
  cached.group = refreshed(cached.group, group, parseGroup);
  return { users: cached.passwd.entries, groups: cached.group.entries };
}

/** The user of this name, or of this number. */
export function findUser(accounts: Accounts, nameOrNumber: string): Account | undefined {
  return (
    accounts.users.find((user) => user.name === nameOrNumber) ??
    (isNumber(nameOrNumber) ? accounts.users.find((user) => user.uid === Number(nameOrNumber)) : undefined)
  );
}

/** The group of this name, or of this number. */
export function findGroup(accounts: Accounts, nameOrNumber: string): Group | undefined {
  return (
    accounts.groups.find((group) => group.name === nameOrNumber) ??
    (isNumber(nameOrNumber) ? accounts.groups.find((group) => group.gid === Number(nameOrNumber)) : undefined)
  );
}

/** True for the digits of a uid or gid. */
export function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1;
}

interface Versioned<Entry> {
  /** Of the file: path, inode, size and time of change. */
  readonly version: string;
  readonly entries: readonly Entry[];
}

function refreshed<Entry>(
  known: Versioned<Entry> | undefined,
  file: string,
  parse: (fields: readonly string[]) => Entry | undefined,
): Versioned<Entry> {
  const stats = statSync(file, { throwIfNoEntry: false });
  const version = stats === undefined ? `${file} absent` : `${file} ${stats.ino} ${stats.size} ${stats.mtimeMs}`;
  if (known?.version === version) return known;
  return { version, entries: stats === undefined ? [] : readEntries(file, parse) };
}

function readEntries<Entry>(file: string, parse: (fields: readonly string[]) => Entry | undefined): readonly Entry[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.map((line) => parse(line.split(':'))).filter((entry) => entry !== undefined);
  } catch {
    return [];
  }
}

function parseAccount([name = '', , uid = '', gid = '', , home = '', shell = '']: readonly string[]):
  | Account
  | undefined {
  if (name === '' || name.startsWith('#') || !isNumber(uid) || !isNumber(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' };
}

function parseGroup([name = '', , gid = '', members = '']: readonly string[]): Group | undefined {
  if (name === '' || name.startsWith('#') || !isNumber(gid)) return undefined;
  return { name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') };
}
