import { statSync } from 'node:fs';
import { procIsOurs } from '../namespace.ts';
import { listProcesses, type ProcessStat, readEnvironment, readProcess } from '../posix/proc.ts';
import { INCARNATION_VARIABLE } from './environment.ts';

/** One start of a daemon, and what its processes can be known by. */
export interface Incarnation {
  /** Its first process, which led its session and process group. */
  readonly leader: number;
  /** The value of its BOTTLED_INCARNATION (`incarnationMark`). */
  readonly mark: string;
  /** Its user, where no other incarnation has it: tells orphans whose environment the kernel hides from us. */
  readonly uid?: number | undefined;
}

/**
 * Which live processes belong to which incarnation, by one look at /proc. A process belongs to one when it is in its
 * leader's session or process group, descends from a process that belongs to it, or is an orphan that carries its mark.
 * Zombies are not alive.
 *
 * The kernel shows a process's environment only to its own user or with SYS_PTRACE, which containers seldom grant to
 * root: an orphan of another user is then known by that user, where it is the user of one incarnation only. So is one that
 * has cleared its environment.
 */
export function findMembers<Known extends Incarnation>(
  incarnations: readonly Known[],
): ReadonlyMap<Known, readonly ProcessStat[]> {
  const members = new Map<Known, ProcessStat[]>(incarnations.map((incarnation) => [incarnation, []]));
  if (incarnations.length === 0 || !procIsOurs()) return members;
  const byLeader = new Map(incarnations.map((incarnation) => [incarnation.leader, incarnation]));
  const processes = new Map<number, ProcessStat>();
  for (const pid of listProcesses()) {
    const stat = pid === process.pid ? undefined : readProcess(pid);
    if (stat !== undefined) processes.set(pid, stat);
  }

  const owners = new Map<number, Known | undefined>();
  const ownerOf = (stat: ProcessStat): Known | undefined => {
    if (owners.has(stat.pid)) return owners.get(stat.pid);
    // Set first: parents cannot form a circle, but a pid used anew while we read could make one.
    owners.set(stat.pid, undefined);
    const parent = processes.get(stat.parent);
    const owner =
      byLeader.get(stat.session) ??
      byLeader.get(stat.group) ??
      byLeader.get(stat.pid) ??
      (parent === undefined ? undefined : ownerOf(parent)) ??
      (stat.parent === process.pid ? ownerOfOrphan(stat.pid, incarnations) : undefined);
    owners.set(stat.pid, owner);
    return owner;
  };
  for (const stat of processes.values()) {
    const owner = isAlive(stat) ? ownerOf(stat) : undefined;
    if (owner !== undefined) members.get(owner)?.push(stat);
  }
  return members;
}

/** Z: dead and not collected. X: being collected. */
function isAlive(stat: ProcessStat): boolean {
  return stat.state !== 'Z' && stat.state !== 'X';
}

/**
 * By its mark, which any process could give itself: one with another user than the incarnation's own is not believed, unless
 * that is root's (a setuid program). It is then known by its user, as one is without a mark or whose environment is hidden.
 */
function ownerOfOrphan<Known extends Incarnation>(pid: number, incarnations: readonly Known[]): Known | undefined {
  const mark = markOf(pid);
  if (mark === undefined) return ownerByUser(uidOf(pid), incarnations);
  const marked = incarnations.find((incarnation) => incarnation.mark === mark);
  if (marked?.uid === undefined) return marked;
  const uid = uidOf(pid);
  return uid === marked.uid || uid === 0 ? marked : ownerByUser(uid, incarnations);
}

function uidOf(pid: number): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}

function markOf(pid: number): string | undefined {
  const prefix = `${INCARNATION_VARIABLE}=`;
  const variables = readEnvironment(pid)?.split('\0');
  return variables?.find((variable) => variable.startsWith(prefix))?.slice(prefix.length);
}

function ownerByUser<Known extends Incarnation>(
  uid: number | undefined,
  incarnations: readonly Known[],
): Known | undefined {
  const [only, second] = uid === undefined ? [] : incarnations.filter((incarnation) => incarnation.uid === uid);
  return second === undefined ? only : undefined;
}
