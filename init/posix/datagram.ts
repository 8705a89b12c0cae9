import { closeSync } from 'node:fs';
import { checked, lastErrno, lazily, PosixError } from './libc.ts';

// <sys/socket.h> of Linux on x64 and arm64.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** sockaddr_un: two bytes of family, then the path. */
const PATH_OFFSET = 2;
/** Bytes of a path in a sockaddr_un, its end mark included (unix(7)). */
export const UNIX_PATH_MAX = 108;

const socket = lazily<(domain: number, type: number, protocol: number) => number>('socket', 'int', [
  'int',
  'int',
  'int',
]);
const bind = lazily<(fd: number, address: Buffer, length: number) => number>('bind', 'int', [
  'int',
  'void *',
  'uint32_t',
]);
const recv = lazily<(fd: number, buffer: Buffer, length: number, flags: number) => number>('recv', 'long', [
  'int',
  'void *',
  'size_t',
  'int',
]);

/** A datagram socket at `path`, never blocking, closed when another program is started. Throws PosixError. */
export function bindDatagramSocket(path: string): number {
  if (Buffer.byteLength(path) >= UNIX_PATH_MAX) throw new PosixError(`bind ${path}`, 'ENAMETOOLONG');
  const fd = checked('socket', socket()(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const address = Buffer.alloc(PATH_OFFSET + UNIX_PATH_MAX);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, PATH_OFFSET);
  if (bind()(fd, address, address.length) === -1) {
    const errno = lastErrno();
    closeSync(fd);
    throw new PosixError(`bind ${path}`, errno);
  }
  return fd;
}

const datagram = Buffer.alloc(4096);

/** The next datagram that waits at the socket, at most 4096 bytes of it; `undefined` where none does. */
export function receive(fd: number): string | undefined {
  const length = recv()(fd, datagram, datagram.length, 0);
  return length === -1 ? undefined : datagram.toString('utf8', 0, length);
}
