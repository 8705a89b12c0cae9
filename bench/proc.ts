import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';

/** Memory that no other process shares (Private_Clean + Private_Dirty), in MiB. */
export function uniqueSet(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const kib = [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].map((match) => Number(match[1]));
  return kib.reduce((sum, value) => sum + value, 0) / 1024;
}

/** Memory of a process that is in RAM, in MiB. */
export function residentSet(pid: number): number {
  return statusOf(pid, 'VmRSS');
}

/** The most that was, since the start or since `resetPeak`. */
export function peakResidentSet(pid: number): number {
  return statusOf(pid, 'VmHWM');
}

/** proc(5), `clear_refs`: 5 sets the peak to what is resident now. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function statusOf(pid: number, field: string): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(line?.[1]) / 1024;
}

/** Time that the threads of a process have run so far, in ms. */
export function processorTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]),
  );
  return ns.reduce((sum, value) => sum + value, 0) / 1e6;
}

/** A process and all its descendants. */
export function family(pid: number): readonly number[] {
  const parents = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(Number(entry));
    if (parent !== undefined) parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)]);
  }
  const descend = (at: number): number[] => [at, ...(parents.get(at) ?? []).flatMap(descend)];
  return descend(pid);
}

/** The program that a process runs; undefined where it is gone. */
export function programOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[1]);
  } catch {
    return undefined;
  }
}
