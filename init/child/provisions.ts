import { readSmallFile } from '../../config/files.ts';
import type { Bundle, DaemonSpec } from '../bundle/schema.ts';
import type { SpawnError } from '../lifecycle/event.ts';
import type { Descriptor } from '../posix/spawn.ts';
import { type Notification, openNotifyPipe, openNotifySocket } from './notify.ts';
import { readSecretDirectory } from './secret-directory.ts';
import { type Secret, writeSecrets } from './secrets.ts';

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface Failure {
  readonly error: SpawnError;
}

/** Puts a daemon's secrets, as they are now, where only its user can read them. Undefined where its entry names none. */
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
    const read = readSecret(source, target, sources[source]);
    if ('error' in read) return failure(`secrets: ${read.error}`);
    secrets.push(...read);
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
  return { error: { errno: 'EPERM', message } };
}

function readSecret(
  name: string,
  target: string,
  source: Bundle['secrets'][string] | undefined,
): readonly Secret[] | { readonly error: string } {
  if (source?.directory !== undefined) return readSecretDirectory(source.directory);
  const fromEnvironment = source?.environment === undefined ? undefined : process.env[source.environment];
  if (fromEnvironment !== undefined) return [{ target, value: fromEnvironment }];
  if (source?.file === undefined) return { error: `${name} has no value: set ${source?.environment ?? 'its file'}` };
  const file = readSmallFile(source.file);
  if (file.ok) return [{ target, value: file.bytes }];
  return { error: `the file ${source.file} of ${name} ${file.reason}` };
}
