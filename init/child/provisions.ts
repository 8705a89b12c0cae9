import { readFileSync } from 'node:fs';
import type { Bundle, DaemonSpec } from '../bundle/schema.ts';
import type { SpawnError } from '../lifecycle/event.ts';
import type { Descriptor } from '../posix/spawn.ts';
import { type Notification, openNotifyPipe, openNotifySocket } from './notify.ts';
import { type Secret, writeSecrets } from './secrets.ts';

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface Failure {
  readonly error: SpawnError;
}

/** Puts a daemon's secrets where only its user can read them. Undefined where it has none. */
export function provideSecrets(options: {
  readonly runDirectory: string;
  readonly daemon: string;
  readonly spec: DaemonSpec;
  readonly owner: Owner;
  /** The bundle's `secrets`: where each comes from. */
  readonly sources: Bundle['secrets'];
}): { readonly directory: string; readonly masks: readonly string[] } | Failure | undefined {
  const { runDirectory, daemon, spec, owner, sources } = options;
  if (spec.secrets.length === 0) return undefined;
  const secrets: Secret[] = [];
  for (const { source, target } of spec.secrets) {
    const read = readSecret(source, sources[source]);
    if ('error' in read) return failure(read.error);
    secrets.push({ target, value: read.value });
  }
  const written = writeSecrets({ runDirectory, daemon, secrets, owner });
  return 'error' in written ? failure(written.error) : written;
}

/** The way by which a daemon says that it is ready, and what it needs for it. */
export interface Notifier extends Notification {
  /** To be closed once the daemon is started. */
  readonly descriptors: readonly Descriptor[];
  /** For $NOTIFY_SOCKET. */
  readonly socket: string | undefined;
}

/**
 * Opens what a daemon with `ready.notify_fd` or `ready.sd_notify` says it by; undefined for any other. Throws PosixError
 * where no descriptors are left.
 */
export function openNotification(options: {
  readonly runDirectory: string;
  readonly daemon: string;
  readonly incarnation: number;
  readonly spec: DaemonSpec;
  readonly owner: Owner;
}): Notifier | Failure | undefined {
  const { runDirectory, daemon, incarnation, spec, owner } = options;
  if (spec.ready?.notify_fd !== undefined) {
    const pipe = openNotifyPipe();
    return { ...pipe, descriptors: [{ fd: pipe.write, as: spec.ready.notify_fd }], socket: undefined };
  }
  if (spec.ready?.sd_notify === undefined) return undefined;
  const socket = openNotifySocket({ runDirectory, daemon, incarnation, owner });
  return 'error' in socket ? failure(socket.error) : { ...socket, descriptors: [], socket: socket.path };
}

function failure(message: string): Failure {
  return { error: { errno: 'EACCES', message } };
}

function readSecret(
  name: string,
  source: Bundle['secrets'][string] | undefined,
): { readonly value: Buffer | string } | { readonly error: string } {
  const fromEnvironment = source?.environment === undefined ? undefined : process.env[source.environment];
  if (fromEnvironment !== undefined) return { value: fromEnvironment };
  if (source?.file === undefined) {
    return { error: `secrets: ${name} has no value: set ${source?.environment ?? 'its file'}` };
  }
  try {
    return { value: readFileSync(source.file) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { error: `secrets: cannot read ${source.file} for ${name}: ${why}` };
  }
}
