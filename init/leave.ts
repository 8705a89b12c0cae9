import { send } from './child/survivors.ts';
import { ownsPidNamespace } from './namespace.ts';
import { listProcesses, readProcess } from './posix/proc.ts';
import { exitImmediately } from './posix/this-process.ts';
import { hasChildren } from './posix/wait.ts';

/** Looks for new descendants this often: a process may fork between the look and the kill. */
const ROUNDS = 5;

/**
 * SIGKILL to all that is left. As the first process of a namespace that is everything in it; elsewhere it is what descends
 * from this process, so that nobody else on the machine is ever hit.
 */
export function killEverything(): void {
  if (ownsPidNamespace()) {
    send(-1, 'SIGKILL');
    return;
  }
  for (let round = 0; round < ROUNDS && hasChildren(); round++) {
    const left = descendants(process.pid);
    if (left.length === 0) return;
    for (const pid of left) send(pid, 'SIGKILL');
  }
}

/** Live processes that descend from `pid`. */
function descendants(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const other of listProcesses()) {
    const stat = readProcess(other);
    if (stat === undefined || stat.state === 'Z' || stat.state === 'X') continue;
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), other]);
  }
  const found: number[] = [];
  for (let next = children.get(pid) ?? []; next.length > 0; next = next.flatMap((child) => children.get(child) ?? [])) {
    found.push(...next);
  }
  return found;
}

/** Ends this process. `flushed` false: a thread may hang in write(2), and Node's own way out would wait for it. */
export function leave(code: number, flushed: boolean): never {
  if (!flushed) exitImmediately(code);
  process.exit(code);
}
