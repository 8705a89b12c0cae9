import { type ChildProcess, spawn } from 'node:child_process';
import type { Environment } from './environment.ts';

/** How one git process ended. */
export type Ended =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'not-started'; readonly reason: string };

/** How one git process ended, and what it said: each stream cut at {@link MOST_OUTPUT} bytes. */
export interface Ran {
  readonly ended: Ended;
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** It was ended because it took too long. */
  readonly timedOut: boolean;
}

export interface RunOptions {
  readonly env: Environment;
  readonly cwd: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Of each stream as much is kept. More on stdout is a failure: a list that is cut must not pass for a whole one. */
export const MOST_OUTPUT = 64 * 1024 ** 2;
/** From the request to end to SIGKILL. git removes its temporary files meanwhile. */
const GRACE_MS = 2000;

/** Runs `git ARGS` to its end, in a process group of its own. Never rejects. */
export async function runGit(args: readonly string[], options: RunOptions): Promise<Ran> {
  const child = spawn('git', args, { cwd: options.cwd, env: options.env, detached: true, stdio: 'pipe' });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    endGroup(child);
  }, options.timeout);
  const abort = () => endGroup(child);
  options.signal?.addEventListener('abort', abort);
  if (options.signal?.aborted === true) abort();
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const ended = await endOf(child);
  clearTimeout(timer);
  options.signal?.removeEventListener('abort', abort);
  const said = stdout();
  const ok = ended.kind === 'exit' && ended.code === 0 && !timedOut && said.length < MOST_OUTPUT;
  return { ended, ok, stdout: said, stderr: stderr(), timedOut };
}

/** Resolves when the process is gone and its streams are at their end. */
export function endOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ kind: 'not-started', reason: error.message });
    });
    child.once('close', (code, signal) => {
      if (signal !== null) resolve({ kind: 'signal', signal });
      else if (code !== null && code >= 0) resolve({ kind: 'exit', code });
      else resolve({ kind: 'not-started', reason: 'git could not be started' });
    });
  });
}

/** Asks a whole process group to end, and makes it end where it does not within two seconds. */
export function endGroup(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  signalGroup(pid, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS);
  // 'exit' tells of the leader only: a member that is left keeps the group, and with it the number, alive.
  child.once('close', () => clearTimeout(timer));
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone already, which is what was asked for.
  }
}

/** Reads a stream to its end and keeps the beginning. */
export function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    if (size < MOST_OUTPUT) chunks.push(chunk.subarray(0, MOST_OUTPUT - size));
    size += chunk.length;
  });
  stream.on('error', () => {});
  return () => Buffer.concat(chunks).toString('utf8');
}
