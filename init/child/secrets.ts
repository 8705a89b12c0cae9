import {
  chownSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../posix/errno.ts';
import { makePassage } from './run-directory.ts';

/** One secret of a daemon: the name of its file, and what the file holds. */
export interface Secret {
  readonly target: string;
  readonly value: string | Uint8Array;
}

export interface SecretsOptions {
  /** The init's run directory, on a tmpfs. Other users must be able to pass through it (mode 0711). */
  readonly runDirectory: string;
  readonly daemon: string;
  readonly secrets: readonly Secret[];
  /** The daemon's user; only it can read them. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

export type WrittenSecrets =
  /** `directory` is for $CREDENTIALS_DIRECTORY, `masks` for the logs. */
  | { readonly directory: string; readonly masks: readonly string[] }
  /** One sentence with the remedy. */
  | { readonly error: string };

/** A part of a secret that is shorter is not masked: it would blot out ordinary words. In characters. */
const SHORTEST_MASK = 6;

/**
 * Writes a daemon's secrets to `<run directory>/secrets/<daemon>/`: the directory is its user's alone (0700), each file
 * may only be read (0400). What was there before is replaced as a whole, under a daemon that runs, too. It is made under
 * another name first, which no daemon can have, so that nobody ever sees a part of it, or all of it under the wrong owner.
 */
export function writeSecrets({ runDirectory, daemon, secrets, owner }: SecretsOptions): WrittenSecrets {
  const directory = join(runDirectory, 'secrets', daemon);
  const draft = join(runDirectory, 'secrets', `.${daemon}.draft`);
  const old = join(runDirectory, 'secrets', `.${daemon}.old`);
  const bad = secrets.find(({ target }) => !isPlainName(target));
  if (bad !== undefined) {
    return {
      error: `secrets: target "${bad.target}" is not a plain file name: write a name without "/", such as "token"`,
    };
  }
  try {
    makePassage(runDirectory, 'secrets');
    discard(draft);
    discard(old);
    mkdirSync(draft, { mode: 0o700 });
    for (const secret of secrets) writeSecret(draft, secret, owner);
    if (!isOurs(owner)) chownSync(draft, owner.uid, owner.gid);
    if (existsSync(directory)) renameSync(directory, old);
    renameSync(draft, directory);
    discard(old);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      error: `secrets: cannot write ${directory} for uid ${owner.uid} (${errnoOf(error)}): the run directory must be a writable tmpfs, and another user's files need root: ${why}`,
    };
  }
  return { directory, masks: secrets.flatMap(({ value }) => masksOf(value)) };
}

/** Removes what {@link writeSecrets} has made for a daemon. Throws as rm(2) does. */
export function removeSecrets({ runDirectory, daemon }: Pick<SecretsOptions, 'runDirectory' | 'daemon'>): void {
  discard(join(runDirectory, 'secrets', daemon));
}

/** Removes the secrets of all daemons. Throws as rm(2) does. */
export function removeAllSecrets(runDirectory: string): void {
  const directory = join(runDirectory, 'secrets');
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) discard(join(directory, name));
}

/**
 * What of a secret must never appear in a log: its whole text and each of its lines, from six characters on, longest
 * first.
 */
export function masksOf(value: string | Uint8Array): readonly string[] {
  const text = typeof value === 'string' ? value : Buffer.from(value).toString('utf8');
  const parts = new Set([text.trim(), ...text.split(/\r?\n/).map((line) => line.trim())]);
  return [...parts].filter((part) => part.length >= SHORTEST_MASK).sort((a, b) => b.length - a.length);
}

function isPlainName(target: string): boolean {
  return (
    target !== '' && target !== '.' && target !== '..' && !/[/\0]/.test(target) && Buffer.byteLength(target) <= 255
  );
}

function isOurs(owner: { readonly uid: number; readonly gid: number }): boolean {
  return owner.uid === process.geteuid?.() && owner.gid === process.getegid?.();
}

/** A later one of the same name takes the place of an earlier. */
function writeSecret(directory: string, { target, value }: Secret, owner: SecretsOptions['owner']): void {
  const path = join(directory, target);
  rmSync(path, { force: true });
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    writeFileSync(fd, value);
    fchmodSync(fd, 0o400);
    if (!isOurs(owner)) fchownSync(fd, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
}

/** Taken back first: to empty another user's directory would need the capability DAC_OVERRIDE. */
function discard(directory: string): void {
  if (!existsSync(directory)) return;
  lchownSync(directory, process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
  rmSync(directory, { recursive: true, force: true });
}
