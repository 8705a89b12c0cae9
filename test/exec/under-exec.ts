import { join } from 'node:path';
import { execa } from 'execa';
import { listProcesses, readProcess } from '../../init/posix/proc.ts';
import { asProcessOne } from '../posix/pid-namespace.ts';

export const EXEC = [process.execPath, join(import.meta.dirname, 'fixtures/exec.ts')];

/** A running `bottled exec` with its output so far. */
export interface Running {
  readonly finished: Promise<{ readonly exitCode: number | undefined }>;
  readonly output: () => string;
  /** Process id of the init as seen from here; also where it is process 1 of a namespace. */
  init(): Promise<number>;
}

/** Starts `bottled exec` with these arguments, as process 1 of its own namespace if asked. */
export function start(argv: readonly string[], { processOne = false } = {}): Running {
  const [file, words]: [string, string[]] = processOne
    ? asProcessOne([...EXEC, ...argv])
    : [process.execPath, [...EXEC.slice(1), ...argv]];
  const subprocess = execa(file, words, { reject: false, all: true });
  let output = '';
  subprocess.all?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return {
    finished: subprocess.then(({ exitCode }) => ({ exitCode })),
    output: () => output,
    async init() {
      const pid = subprocess.pid ?? 0;
      return processOne ? await eventually(() => childrenOf(pid)[0], 'an init') : pid;
    },
  };
}

/** Runs it to its end. */
export async function run(
  argv: readonly string[],
  options = {},
): Promise<{ code: number | undefined; output: string }> {
  const running = start(argv, options);
  const { exitCode } = await running.finished;
  return { code: exitCode, output: running.output() };
}

export function childrenOf(pid: number): number[] {
  return listProcesses().filter((other) => readProcess(other)?.parent === pid);
}

/** S, T, … as in proc_pid_stat(5). */
export function stateOf(pid: number): string | undefined {
  return readProcess(pid)?.state;
}

/** Waits until `look` gives something; fails after 20 s. */
export async function eventually<Value>(look: () => Value | undefined | false, what: string): Promise<Value> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const value = look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`never came about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
