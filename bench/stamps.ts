import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';

/** A moment that `mark` wrote down. */
export interface Stamp {
  readonly name: string;
  readonly pid: number;
  /** CLOCK_MONOTONIC, as `now` gives it. */
  readonly ns: number;
}

/** The FIFO into which all of one run write their stamps. */
export interface Stamps {
  readonly fifo: string;
  readonly all: readonly Stamp[];
  /** Resolves with the first answer that is not undefined, asked at each stamp. Rejects after `patience` ms, else 30 s. */
  wait<T>(what: string, answer: () => T | undefined, patience?: number): Promise<T>;
  /** Resolves when no process is left that holds the FIFO open. Nothing can be started after this. */
  released(): Promise<void>;
  close(): void;
}

/** CLOCK_MONOTONIC in ns. */
export const now = (): number => Number(process.hrtime.bigint());

export function openStamps(directory: string): Stamps {
  const fifo = join(directory, 'stamps');
  execFileSync('mkfifo', [fifo]);
  const reader = new Socket({ fd: openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK), writable: false });
  let own: number | undefined = openSync(fifo, constants.O_WRONLY);
  const all: Stamp[] = [];
  const listeners = new Set<() => void>();
  const timers = new Set<NodeJS.Timeout>();
  const ended = new Promise<void>((resolve) => reader.once('close', resolve));
  let rest = '';
  reader.setEncoding('latin1');
  reader.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [name = '', pid, ns] = line.split(' ');
      all.push({ name, pid: Number(pid), ns: Number(ns) });
    }
    for (const listener of listeners) listener();
  });
  const letGo = () => {
    if (own !== undefined) closeSync(own);
    own = undefined;
  };
  return {
    fifo,
    all,
    wait: (what, answer, patience = 30_000) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = answer();
          if (found === undefined) return;
          clearTimeout(timer);
          timers.delete(timer);
          listeners.delete(look);
          resolve(found);
        };
        const timer = setTimeout(() => {
          listeners.delete(look);
          reject(new Error(`waited ${Math.round(patience / 1000)} s for ${what}`));
        }, patience);
        timers.add(timer);
        listeners.add(look);
        look();
      }),
    released() {
      letGo();
      return ended;
    },
    close() {
      letGo();
      for (const timer of timers) clearTimeout(timer);
      reader.destroy();
    },
  };
}
