import { readFileSync, writeFileSync } from 'node:fs';

/** The score at which the kernel still kills the init, but only after everything else. -1000 would mean: never. */
const PROTECTED = -999;
const OWN_SCORE = '/proc/self/oom_score_adj';

/** How readily the kernel kills the init and its daemons when memory runs out. */
export interface OomScores {
  /**
   * Starts a daemon with its score in force from its first instruction: `asked`, or what the init itself was started
   * with. Where the kernel does not permit a score below the init's (`checkPrivileges` says so beforehand), the daemon
   * has the init's own.
   */
  startWith<Result>(asked: number | undefined, start: () => Result): Result;
}

/** Lowers the init's own score where that is allowed (with SYS_RESOURCE); its daemons keep the one that it had. */
export function protectFromOomKiller(): OomScores {
  const original = readScore();
  const own = setScore(PROTECTED) ? PROTECTED : original;
  return {
    startWith(asked, start) {
      const wanted = asked ?? original;
      if (wanted === own || !setScore(wanted)) return start();
      try {
        return start();
      } finally {
        setScore(own);
      }
    },
  };
}

/**
 * Tells the kernel's own kills from others: each counter of the memory cgroup is asked for what it has counted since.
 */
export interface OomKills {
  /**
   * True where the kernel has killed for lack of memory since the last question that was answered so, once for each
   * kill.
   */
  take(): boolean;
}

/** cgroup v2, then v1 (whose file also holds other numbers). In a container both are its own. */
const COUNTERS = ['/sys/fs/cgroup/memory.events', '/sys/fs/cgroup/memory/memory.oom_control'];

/** Watches the count of kills from now on. Where there is no such counter, no kill is known as one of the kernel's. */
export function watchOomKills(counters: readonly string[] = COUNTERS): OomKills {
  let taken = readKills(counters);
  return {
    take() {
      if (readKills(counters) <= taken) return false;
      taken++;
      return true;
    },
  };
}

function readKills(counters: readonly string[]): number {
  for (const file of counters) {
    const count = /^oom_kill (\d+)$/m.exec(read(file))?.[1];
    if (count !== undefined) return Number(count);
  }
  return 0;
}

function readScore(): number {
  return Number(read(OWN_SCORE)) || 0;
}

function setScore(score: number): boolean {
  try {
    writeFileSync(OWN_SCORE, String(score));
    return true;
  } catch {
    return false;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
