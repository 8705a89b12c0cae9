import { closeSync } from 'node:fs';
import { duplicate } from './descriptors.ts';
import { errnoName } from './errno.ts';
import { exists, lazily } from './libc.ts';

// <spawn.h>, the same in glibc and musl.
const POSIX_SPAWN_SETPGROUP = 0x02;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const O_RDWR = 2;
/** posix_spawnattr_t is 336 bytes in both, posix_spawn_file_actions_t 80: room to spare. */
const ATTRIBUTE_BYTES = 1024;
const ACTIONS_BYTES = 512;
/** sigset_t is 128 bytes in both. */
const SIGSET_BYTES = 256;

const posixSpawn = lazily<
  (
    pid: Int32Array,
    path: string,
    actions: Buffer,
    attributes: Buffer,
    argv: readonly (string | null)[],
    environment: readonly (string | null)[],
  ) => number
>('posix_spawn', 'int', ['void *', 'str', 'void *', 'void *', 'str *', 'str *']);

const attrInit = lazily<(attributes: Buffer) => number>('posix_spawnattr_init', 'int', ['void *']);
const attrSetFlags = lazily<(attributes: Buffer, flags: number) => number>('posix_spawnattr_setflags', 'int', [
  'void *',
  'short',
]);
const attrSetSigmask = lazily<(attributes: Buffer, set: Buffer) => number>('posix_spawnattr_setsigmask', 'int', [
  'void *',
  'void *',
]);
const attrSetSigdefault = lazily<(attributes: Buffer, set: Buffer) => number>('posix_spawnattr_setsigdefault', 'int', [
  'void *',
  'void *',
]);
const actionsInit = lazily<(actions: Buffer) => number>('posix_spawn_file_actions_init', 'int', ['void *']);
const actionsDestroy = lazily<(actions: Buffer) => number>('posix_spawn_file_actions_destroy', 'int', ['void *']);
const addDup2 = lazily<(actions: Buffer, fd: number, as: number) => number>('posix_spawn_file_actions_adddup2', 'int', [
  'void *',
  'int',
  'int',
]);
const addOpen = lazily<(actions: Buffer, fd: number, path: string, flags: number, mode: number) => number>(
  'posix_spawn_file_actions_addopen',
  'int',
  ['void *', 'int', 'str', 'int', 'uint32_t'],
);
const addChdir = lazily<(actions: Buffer, path: string) => number>('posix_spawn_file_actions_addchdir_np', 'int', [
  'void *',
  'str',
]);
const addForeground = lazily<(actions: Buffer, fd: number) => number>(
  'posix_spawn_file_actions_addtcsetpgrp_np',
  'int',
  ['void *', 'int'],
);

/** A file of this process that the new one gets, under the number `as`. */
export interface Descriptor {
  readonly fd: number;
  readonly as: number;
}

export interface SpawnRequest {
  /** The program's file. */
  readonly path: string;
  readonly argv: readonly string[];
  /** `NAME=value`. */
  readonly environment: readonly string[];
  readonly cwd?: string | undefined;
  /**
   * What of this process's files it gets. Its stdin is /dev/null, its stdout and stderr ours, where nothing is said of
   * them.
   */
  readonly descriptors: readonly Descriptor[];
  /** A session of its own (hence also a process group), a process group of its own, or the caller's. */
  readonly session: 'new' | 'group' | 'same';
  /** With `session: 'group'`: its group becomes the one that reads this terminal, before its first instruction. */
  readonly terminal?: number | undefined;
}

let foregroundAction: boolean | undefined;

/** True where a new process can be given the terminal before its first instruction (glibc 2.35 or newer). */
export function canSpawnInForeground(): boolean {
  foregroundAction ??= exists('posix_spawn_file_actions_addtcsetpgrp_np');
  return foregroundAction;
}

/**
 * Starts a program by posix_spawn(3), half the time of fork and exec from a large process. It begins with no signal
 * blocked and none ignored. Gives the name of the error where it cannot be started.
 */
export function spawn(request: SpawnRequest): { readonly pid: number } | { readonly errno: string } {
  const attributes = attributesFor(request.session);
  const actions = Buffer.alloc(ACTIONS_BYTES);
  const borrowed: number[] = [];
  actionsInit()(actions);
  try {
    if (request.terminal !== undefined && canSpawnInForeground()) addForeground()(actions, request.terminal);
    addDescriptors(actions, request.descriptors, borrowed);
    if (request.cwd !== undefined) addChdir()(actions, request.cwd);
    const pid = new Int32Array(1);
    const error = posixSpawn()(
      pid,
      request.path,
      actions,
      attributes,
      [...request.argv, null],
      [...request.environment, null],
    );
    return error === 0 ? { pid: pid[0] ?? 0 } : { errno: errnoName(error) };
  } finally {
    actionsDestroy()(actions);
    for (const fd of borrowed) closeSync(fd);
  }
}

const attributesBySession = new Map<SpawnRequest['session'], Buffer>();

function attributesFor(session: SpawnRequest['session']): Buffer {
  const known = attributesBySession.get(session);
  if (known !== undefined) return known;
  const attributes = Buffer.alloc(ATTRIBUTE_BYTES);
  // Not by sigfillset(3): it leaves out the two that glibc keeps for itself, which would then be ignored in the child.
  const everySignal = Buffer.alloc(SIGSET_BYTES, 0xff);
  attrInit()(attributes);
  attrSetSigmask()(attributes, Buffer.alloc(SIGSET_BYTES));
  attrSetSigdefault()(attributes, everySignal);
  const placement = { new: POSIX_SPAWN_SETSID, group: POSIX_SPAWN_SETPGROUP, same: 0 }[session];
  attrSetFlags()(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | placement);
  attributesBySession.set(session, attributes);
  return attributes;
}

/**
 * One dup2 after another, in the child. A source that an earlier one would overwrite is first copied out of the way
 * (to `borrowed`, which the caller closes).
 */
function addDescriptors(actions: Buffer, descriptors: readonly Descriptor[], borrowed: number[]): void {
  const targets = new Set(descriptors.map((descriptor) => descriptor.as));
  const highest = Math.max(2, ...targets);
  targets.add(0);
  const sources = descriptors.map(({ fd, as }) => {
    if (fd === as || !targets.has(fd)) return fd;
    const copy = duplicate(fd, highest + 1);
    borrowed.push(copy);
    return copy;
  });
  if (!descriptors.some((descriptor) => descriptor.as === 0)) addOpen()(actions, 0, '/dev/null', O_RDWR, 0);
  descriptors.forEach(({ as }, index) => {
    addDup2()(actions, sources[index] ?? as, as);
  });
}
