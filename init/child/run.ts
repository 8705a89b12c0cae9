import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { describeExit } from '../lifecycle/diagnosis.ts';
import type { Exit } from '../lifecycle/event.ts';
import { makePipe, type Pipe } from '../posix/descriptors.ts';
import { PosixError } from '../posix/libc.ts';
import type { Reaper } from '../reaper.ts';
import type { Environment } from './environment.ts';
import { launch } from './launch.ts';
import { send } from './survivors.ts';

export interface RunOptions {
  readonly argv: readonly string[];
  readonly prefix: readonly string[];
  readonly environment: Environment;
  readonly cwd: string | undefined;
  readonly reaper: Reaper;
  /** When it is aborted, the command and all of its group are killed. */
  readonly signal: AbortSignal;
}

/** How a command ended; `exit` is undefined where it never ran, and `error` then says why. */
export interface Ran {
  readonly exit: Exit | undefined;
  /** The beginning of what it wrote to stdout and stderr. */
  readonly output: string;
  readonly error?: string;
}

/** Bytes of output that are kept; the rest is read and dropped. */
const KEPT = 4_096;
/** How long the output is waited for after the command's end, in ms: a child of its may hold the pipe for ever. */
const LAST_OUTPUT_MS = 100;

/** Runs a command to its end, in a session of its own: a hook, or the `test` of a health check. Rejects never, not even where no descriptors are left. */
export async function runCommand({ argv, prefix, environment, cwd, reaper, signal }: RunOptions): Promise<Ran> {
  if (signal.aborted) return { exit: undefined, output: '', error: 'given up' };
  const pipe = tryPipe();
  if ('error' in pipe) return { exit: undefined, output: '', error: pipe.error };
  const { read, write } = pipe;
  const launched = launch({
    argv,
    prefix,
    environment,
    cwd,
    descriptors: [
      { fd: write, as: 1 },
      { fd: write, as: 2 },
    ],
    session: 'new',
  });
  closeSync(write);
  if ('error' in launched) {
    closeSync(read);
    return { exit: undefined, output: '', error: launched.error.message };
  }
  const output = collectOutput(read);
  const kill = (): void => void send(-launched.pid, 'SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  const exit = await new Promise<Exit>((resolve) => reaper.watch(launched.pid, resolve));
  signal.removeEventListener('abort', kill);
  return { exit, output: await output.finish() };
}

function tryPipe(): Pipe | { readonly error: string } {
  try {
    return makePipe();
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
    return { error: error.message };
  }
}

/** The hooks of one stage, one after another. Resolves to what went wrong first, or to undefined. */
export async function runHooks(
  hooks: readonly { readonly command: readonly string[] }[],
  run: (hook: number) => Promise<Ran>,
): Promise<string | undefined> {
  for (const [index, { command }] of hooks.entries()) {
    const { exit, output, error } = await run(index);
    if (exit !== undefined && 'code' in exit && exit.code === 0) continue;
    const why = exit === undefined ? error : describeExit(exit);
    const said = output.trim().split('\n', 1)[0] ?? '';
    return `${command[0] ?? ''}: ${why}${said === '' ? '' : `: ${said}`}`;
  }
  return undefined;
}

function collectOutput(fd: number): { finish(): Promise<string> } {
  const chunks: Buffer[] = [];
  let length = 0;
  const socket = new Socket({ fd, readable: true, writable: false });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    if (length < KEPT) chunks.push(chunk.subarray(0, KEPT - length));
    length += chunk.length;
  });
  return {
    async finish() {
      const timer = setTimeout(() => socket.destroy(), LAST_OUTPUT_MS);
      await closed;
      clearTimeout(timer);
      return Buffer.concat(chunks).toString('utf8');
    },
  };
}
