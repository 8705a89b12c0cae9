import { lchownSync, lstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { makeDirectory } from './directory.ts';
import { SOCKET_PATH_BYTES } from './socket-path.ts';

export interface UnixSocketOptions {
  /** Whose the socket is to be; the init's own where absent. Another user's needs root. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** The remedy where the path cannot be used. */
  readonly elsewhere?: string;
}

/**
 * Listens at `path` with mode 0600, in a directory that is made with mode 0711 where it is missing. The socket of a dead
 * init is removed first. Rejects with one clear line where another init answers there, where something else stands there,
 * or where the system refuses.
 */
export async function listenUnix(
  server: Server,
  path: string,
  { owner, elsewhere = 'give another path with --socket PATH' }: UnixSocketOptions = {},
): Promise<void> {
  const obstacle = await clear(path, elsewhere);
  if (obstacle !== undefined) throw new Error(`cannot listen on ${path}: ${obstacle}`);
  try {
    await listenPrivately(server, path);
    // Not chown, which would follow a link that the owner of the directory has put there meanwhile.
    if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
  } catch (error) {
    server.close();
    throw new Error(`cannot listen on ${path}: ${brief(error)}; ${elsewhere}`);
  }
}

/** Makes the place free. Returns what is in the way and the remedy, or `undefined`. */
async function clear(path: string, elsewhere: string): Promise<string | undefined> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES) {
    return `a socket's path has at most ${SOCKET_PATH_BYTES} bytes; ${elsewhere}`;
  }
  try {
    makeDirectory(dirname(path));
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (!found.isSocket()) return `something is there that is no socket; remove it, or ${elsewhere}`;
    if (await isServed(path)) return `another init serves it; stop that one, or ${elsewhere}`;
    unlinkSync(path);
    return undefined;
  } catch (error) {
    return `${brief(error)}; ${elsewhere}`;
  }
}

/** True unless it is certain that no process listens at `path`: one that hangs, or that may not be asked, counts. Never rejects. */
export async function isServed(path: string): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

/** The umask makes the socket private from its first moment: a chmod afterwards would leave a gap. */
function listenPrivately(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const mask = process.umask(0o177);
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
    process.umask(mask);
  });
}

/** "EACCES: permission denied, mkdir '/run/x'" without the call, which the sentence around it names. */
function brief(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(',')[0] ?? message;
}
