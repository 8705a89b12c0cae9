import { fileURLToPath } from 'node:url';
import { execa, type Options } from 'execa';

/** The command line from source, run by this Node. */
export const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** How a `bottled` process ended, with what it printed. */
export interface Ended {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bottled` to its end. */
export async function bottled(args: readonly string[], options: Options = {}): Promise<Ended> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [MAIN, ...args], {
    reject: false,
    stdin: 'ignore',
    extendEnv: false,
    timeout: 60_000,
    ...options,
    env: { PATH: process.env.PATH ?? '', NO_COLOR: '1', ...options.env },
  });
  return { exitCode, stdout: String(stdout), stderr: String(stderr) };
}

/** Starts `bottled`; the test reads from it while it runs. */
export function start(args: readonly string[]) {
  return execa(process.execPath, [MAIN, ...args], { reject: false, stdin: 'ignore', buffer: false, timeout: 60_000 });
}
