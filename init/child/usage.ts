import { TICKS_PER_SECOND } from '../posix/proc.ts';
import { pageSize } from '../posix/this-process.ts';
import { findMembers, type Incarnation } from './members.ts';

/** What the live processes of one incarnation use. */
export interface Usage {
  readonly processes: number;
  /**
   * Processor time of the live processes and of the children that they have waited for, in ms, in steps of 10. It can
   * go back when a process ends that nobody waited for: take a difference below 0 as 0.
   */
  readonly cpuMs: number;
  /** Resident memory in bytes. Pages shared between processes count once for each. */
  readonly memoryBytes: number;
}

/** The use of each incarnation over all its processes, by one look at /proc. */
export function measureUsage<Known extends Incarnation>(incarnations: readonly Known[]): ReadonlyMap<Known, Usage> {
  const usage = new Map<Known, Usage>();
  for (const [incarnation, processes] of findMembers(incarnations)) {
    let ticks = 0;
    let pages = 0;
    for (const stat of processes) {
      ticks += stat.ticks;
      pages += stat.residentPages;
    }
    usage.set(incarnation, {
      processes: processes.length,
      cpuMs: (ticks * 1000) / TICKS_PER_SECOND,
      memoryBytes: pages * pageSize(),
    });
  }
  return usage;
}
