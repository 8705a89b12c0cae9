import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A scratch directory with the compiled `mark` in it. Whatever runs out of it is killed when it closes. */
export interface Workshop {
  /** The program that plays the daemons and takes the exact times. */
  readonly mark: string;
  /** A fresh empty directory. */
  directory(): string;
  /** Kills every process that has to do with `directory`. */
  sweep(directory: string): void;
  close(): void;
}

/** @throws where there is no C compiler, with the remedy. */
export function openWorkshop(): Workshop {
  const scratch = mkdtempSync(join(tmpdir(), 'bottled-bench-'));
  const mark = join(scratch, 'mark');
  let directories = 0;
  try {
    compile(join(import.meta.dirname, 'mark.c'), mark);
  } catch (error) {
    rmSync(scratch, { recursive: true });
    throw error;
  }
  return {
    mark,
    directory() {
      const path = join(scratch, String(++directories));
      mkdirSync(path);
      return path;
    },
    sweep,
    close() {
      sweep(scratch);
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

function compile(source: string, target: string): void {
  for (const linkage of [['-static'], []]) {
    try {
      execFileSync('cc', ['-O2', ...linkage, '-o', target, source], { stdio: 'ignore' });
      return;
    } catch {}
  }
  throw new Error('the benchmarks compile bench/mark.c and need a C compiler: apt-get install gcc libc6-dev');
}

/** Inits name the directory on their command line, daemons too, and what some inits start in between works in it. */
function sweep(directory: string): void {
  for (let pass = 0; pass < 20; pass++) {
    const found = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && belongs(Number(pid), directory));
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {}
    }
  }
}

function belongs(pid: number, directory: string): boolean {
  if (pid === process.pid) return false;
  try {
    if (readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')) return false;
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return words.includes(`${directory}/`) || `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${directory}/`);
  } catch {
    return false;
  }
}
