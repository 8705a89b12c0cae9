import { chmodSync, chownSync, closeSync, readSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { bindDatagramSocket, receive, UNIX_PATH_MAX } from '../posix/datagram.ts';
import { makePipe, setNonBlocking } from '../posix/descriptors.ts';
import { errnoOf } from '../posix/errno.ts';
import { makePassage } from './run-directory.ts';

/** The way by which one starting daemon says that it is ready. */
export interface Notification {
  /** Calls back once, when the daemon has said so; and looks for it from now on. */
  onReady(listener: () => void): void;
  /** No longer wanted: the daemon is ready, or has ended. Closes and removes everything. */
  close(): void;
}

/**
 * ms between two looks, at first and later: a daemon that starts fast should not wait for us, one that starts slowly
 * can.
 */
const QUICK_MS = 2;
const CALM_MS = 10;
const QUICK_LOOKS = 100;

/**
 * Readiness by a newline on a pipe, as s6 has it. The daemon gets `write`; the caller closes it once the daemon is
 * started.
 */
export function openNotifyPipe(): Notification & { readonly write: number } {
  const { read, write } = makePipe();
  setNonBlocking(read);
  const buffer = Buffer.alloc(256);
  const look = (): Look => {
    try {
      const length = readSync(read, buffer, 0, buffer.length, null);
      if (length === 0) return 'never';
      return buffer.subarray(0, length).includes(0x0a) ? 'ready' : 'not yet';
    } catch (error) {
      return errnoOf(error) === 'EAGAIN' ? 'not yet' : 'never';
    }
  };
  return { write, ...poll(look, () => closeSync(read)) };
}

export interface NotifySocketOptions {
  /** The init's run directory. Other users must be able to pass through it (mode 0711). */
  readonly runDirectory: string;
  readonly daemon: string;
  readonly incarnation: number;
  /** The daemon's user; nobody else can write to the socket. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

/**
 * Readiness by sd_notify(3). `path` is for $NOTIFY_SOCKET; only `READY=1` is understood, the rest is read and dropped.
 */
export function openNotifySocket({
  runDirectory,
  daemon,
  incarnation,
  owner,
}: NotifySocketOptions): (Notification & { readonly path: string }) | { readonly error: string } {
  const path = join(runDirectory, 'notify', `${daemon}.${incarnation}`);
  if (Buffer.byteLength(path) >= UNIX_PATH_MAX) {
    return {
      error: `sd_notify: the path of a socket is at most ${UNIX_PATH_MAX - 1} bytes long, this one is longer: ${path}`,
    };
  }
  let fd: number;
  try {
    makePassage(runDirectory, 'notify');
    remove(path);
    fd = bindDatagramSocket(path);
  } catch (error) {
    return {
      error: `sd_notify: cannot make the socket ${path} (${errnoOf(error)}): the run directory must be writable`,
    };
  }
  try {
    chmodSync(path, 0o600);
    if (owner.uid !== process.geteuid?.()) chownSync(path, owner.uid, owner.gid);
  } catch (error) {
    closeSync(fd);
    remove(path);
    return {
      error: `sd_notify: cannot give the socket ${path} to uid ${owner.uid} (${errnoOf(error)}): that needs root`,
    };
  }
  const look = (): Look => {
    for (;;) {
      const message = receive(fd);
      if (message === undefined) return 'not yet';
      if (message.split('\n').includes('READY=1')) return 'ready';
    }
  };
  const polled = poll(look, () => {
    closeSync(fd);
    remove(path);
  });
  return { path, ...polled };
}

type Look = 'ready' | 'not yet' | 'never';

function poll(look: () => Look, cleanUp: () => void): Notification {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    clearTimeout(timer);
    cleanUp();
  };
  return {
    close,
    onReady(listener) {
      let looks = 0;
      const again = (): void => {
        const seen = look();
        if (seen === 'not yet') {
          timer = setTimeout(again, looks++ < QUICK_LOOKS ? QUICK_MS : CALM_MS);
          return;
        }
        close();
        if (seen === 'ready') listener();
      };
      again();
    },
  };
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not there, which is all that is wanted.
  }
}
