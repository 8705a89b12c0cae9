import { type ChildProcess, spawn } from 'node:child_process';
import { Duplex, type Readable, type Writable } from 'node:stream';
import type { Environment } from '../git/environment.ts';

/** A git process that serves one request. */
export interface GitChild {
  readonly process: ChildProcess;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** The other end of its descriptor 3, for the hook of a push. */
  readonly channel: Duplex;
}

/** Starts `git ARGS` in a process group of its own, so that it and all that it starts can be ended together. Throws where it cannot. */
export function startGit(args: readonly string[], env: Environment, cwd: string): GitChild {
  const child = spawn('git', args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'ignore', 'pipe'] });
  const channel = child.stdio[3];
  if (child.stdin === null || child.stdout === null || !(channel instanceof Duplex))
    throw new Error('git cannot be started');
  child.stdin.on('error', () => {});
  channel.on('error', () => {});
  return { process: child, stdin: child.stdin, stdout: child.stdout, channel };
}
