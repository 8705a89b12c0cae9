import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectory } from './directory.ts';

/** The variables that decide where the control socket is. */
export interface SocketEnvironment {
  readonly BOTTLED_SOCKET?: string | undefined;
  readonly XDG_RUNTIME_DIR?: string | undefined;
}

/** The longest path of a unix socket in bytes: sun_path of unix(7), less its final zero. */
export const SOCKET_PATH_BYTES = 107;

/**
 * Where the control socket may be, best first: the option or `$BOTTLED_SOCKET` alone where one is given, else
 * `/run/bottled/control.sock` and `$XDG_RUNTIME_DIR/bottled/control.sock`.
 */
export function socketPaths(option: string | undefined, environment: SocketEnvironment): readonly string[] {
  const given = option ?? environment.BOTTLED_SOCKET;
  if (given !== undefined && given !== '') return [given];
  const runtime = environment.XDG_RUNTIME_DIR;
  const paths = ['/run/bottled/control.sock'];
  if (runtime !== undefined && runtime !== '') paths.push(join(runtime, 'bottled', 'control.sock'));
  return paths;
}

/**
 * The run directory of the init that serves this socket: heartbeat, secrets and notification sockets live in it, and in no
 * other place, so that two inits, or an init and whatever else lies beside its socket, never meet.
 */
export function runDirectoryOf(socket: string): string {
  return `${socket}.d`;
}

/** For a client: the first path at which something is; where there is none, the first. */
export function socketToReach(option: string | undefined, environment: SocketEnvironment): string {
  const paths = socketPaths(option, environment);
  return paths.find((path) => existsSync(path)) ?? paths[0] ?? '';
}

/**
 * For an init: the first path whose directory is there (or could be made, then with mode 0711) and can be written.
 * Throws an `Error` that names every path tried and the remedy.
 */
export function socketToServe(option: string | undefined, environment: SocketEnvironment): string {
  const reasons: string[] = [];
  for (const path of socketPaths(option, environment)) {
    const tooLong = Buffer.byteLength(path) > SOCKET_PATH_BYTES;
    const reason = tooLong
      ? `${path}: a socket's path has at most ${SOCKET_PATH_BYTES} bytes`
      : prepareDirectory(dirname(path));
    if (reason === undefined) return path;
    reasons.push(reason);
  }
  throw new Error(`cannot make the control socket: ${reasons.join('; ')}; give a writable place with --socket PATH`);
}

/** Makes the socket's directory (mode 0711) where it is missing. Returns why it cannot be used, or `undefined`. */
function prepareDirectory(directory: string): string | undefined {
  try {
    makeDirectory(directory);
    accessSync(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return `${directory}: ${error instanceof Error ? (error.message.split(',')[0] ?? error.message) : String(error)}`;
  }
}
