import { readFileSync } from 'node:fs';
import type { ULIMITS } from '../bundle/schema.ts';

export type LimitName = (typeof ULIMITS)[number];

/** What the init itself is and may do: the most that it can give to a daemon. */
export interface Standing {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Bit n is capability n of capabilities(7). */
  readonly permitted: bigint;
  readonly bounding: bigint;
  readonly oomScoreAdj: number;
  /** Hard limits; Infinity where there is none. */
  readonly hardLimits: Readonly<Partial<Record<LimitName, number>>>;
}

/**
 * Reads it from /proc, each part when it is first asked for: a bundle that asks for no privileges reads nothing. Where that is
 * not to be had, a process of uid 0 counts as able to do everything, and any other as nothing.
 */
export function readStanding(): Standing {
  const status = once(() => read('/proc/self/status'));
  const uid = process.geteuid?.() ?? 0;
  const all = uid === 0 ? (1n << 64n) - 1n : 0n;
  const capabilities = (field: string): bigint => {
    const hex = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status())?.[1];
    return hex === undefined ? all : BigInt(`0x${hex}`);
  };
  const permitted = once(() => capabilities('CapPrm'));
  const bounding = once(() => capabilities('CapBnd'));
  const oomScoreAdj = once(() => Number(read('/proc/self/oom_score_adj')) || 0);
  const hardLimits = once(() => readHardLimits(read('/proc/self/limits')));
  return {
    uid,
    gid: process.getegid?.() ?? 0,
    groups: process.getgroups?.() ?? [],
    get permitted() {
      return permitted();
    },
    get bounding() {
      return bounding();
    },
    get oomScoreAdj() {
      return oomScoreAdj();
    },
    get hardLimits() {
      return hardLimits();
    },
  };
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

const ROWS: Readonly<Record<LimitName, string>> = {
  as: 'Max address space',
  core: 'Max core file size',
  cpu: 'Max cpu time',
  data: 'Max data size',
  fsize: 'Max file size',
  locks: 'Max file locks',
  memlock: 'Max locked memory',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  nofile: 'Max open files',
  nproc: 'Max processes',
  rss: 'Max resident set',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
  sigpending: 'Max pending signals',
  stack: 'Max stack size',
};

function readHardLimits(table: string): Partial<Record<LimitName, number>> {
  const limits: Partial<Record<LimitName, number>> = {};
  for (const [name, row] of entries(ROWS)) {
    const hard = new RegExp(`^${row}\\s+\\S+\\s+(\\S+)`, 'm').exec(table)?.[1];
    if (hard !== undefined) limits[name] = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
  }
  return limits;
}

function entries(rows: typeof ROWS): readonly (readonly [LimitName, string])[] {
  const names = Object.keys(rows).filter((name): name is LimitName => name in rows);
  return names.map((name) => [name, rows[name]]);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
