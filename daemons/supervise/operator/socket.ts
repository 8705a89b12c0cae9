import { lstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:net';

/** Longest path of a socket (sockaddr_un, unix(7)). */
const LONGEST_PATH = 107;

/**
 * Listens at `path` with mode 0600. The socket of a dead daemon is removed first: the caller holds the lock of the data directory, so no
 * living one serves it. Rejects with an error for a person.
 */
export async function listenAtSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new Error(`the path of the operator's socket is longer than ${LONGEST_PATH} bytes: ${path}`);
  }
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isSocket() === true) unlinkSync(path);
  else if (found !== undefined) throw new Error(`${path} is there and is no socket; remove it`);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // The umask makes it private from its first moment: a chmod afterwards would leave a gap.
  const mask = process.umask(0o177);
  try {
    server.once('error', reject);
    server.listen(path, resolve);
  } finally {
    process.umask(mask);
  }
  await promise;
  server.off('error', reject);
}
