import { readlinkSync } from 'node:fs';

/**
 * True where this process is the first of its PID namespace: then the namespace is its own, `kill(-1)` reaches just
 * what it has to end, and the kernel ends the rest when it leaves. Under `--pid=host`, under a container's own init or
 * in a pod's shared namespace it is not, for process 1 is somebody else. (The first process of the machine itself is an
 * init by any measure.)
 */
export function ownsPidNamespace(): boolean {
  return process.pid === 1;
}

/**
 * True where /proc shows the processes of this namespace. After `unshare --pid` without a new /proc it shows those of
 * another one, and their numbers would be taken for ours.
 */
export function procIsOurs(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid);
  } catch {
    return false;
  }
}
