import type { Socket } from 'node:net';
import { lazily } from './libc.ts';

// <sys/socket.h> of Linux on x64 and arm64.
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid, gid. */
const UCRED_BYTES = 12;

const getsockopt = lazily<(fd: number, level: number, name: number, value: Buffer, length: Buffer) => number>(
  'getsockopt',
  'int',
  ['int', 'int', 'int', 'void *', 'void *'],
);

/** Who has connected to a unix socket, as the kernel knows it (unix(7), SO_PEERCRED). */
export interface Peer {
  /** 0 where its process is in a PID namespace that this one cannot see. */
  readonly pid: number;
  readonly uid: number;
}

/** The process at the other end of a connection; undefined where that cannot be told. */
export function peerOf(socket: Socket): Peer | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  const credentials = Buffer.alloc(UCRED_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(UCRED_BYTES);
  if (getsockopt()(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0) return undefined;
  return { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4) };
}

/** Node has no public way to a connection's descriptor; where this one should be gone, nothing is told of the peer. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
