import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that serves on a port of this machine. */
export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  /** Kills it and waits until it is gone. */
  stop(): Promise<void>;
}

export interface ServerCommand {
  /** Unique among those that share a directory: its output goes to a file of this name. */
  readonly name: string;
  readonly command: readonly string[];
  /** Where it will listen, on 127.0.0.1. */
  readonly port: number;
  /** Its working directory, by which a workshop finds and ends it. */
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const DEADLINE = 30_000;

/** Starts a server and waits until its port answers. Rejects where it ends before, with the last line that it wrote. */
export async function startServer(server: ServerCommand): Promise<RunningServer> {
  const { name, command, port, directory, environment } = server;
  const log = join(directory, `${name}.log`);
  const output = openSync(log, 'a');
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  let ended: string | undefined;
  const gone = new Promise<void>((resolve) => {
    const end = (why: string) => {
      ended = why;
      resolve();
    };
    child.once('error', (error) => end(error.message));
    child.once('exit', (code, signal) => end(`it ended with ${signal ?? code}`));
  });
  const deadline = Date.now() + DEADLINE;
  while (!(await answers(port))) {
    if (ended === undefined && Date.now() > deadline) ended = `it did not listen within ${DEADLINE / 1000} s`;
    if (ended !== undefined) {
      child.kill('SIGKILL');
      const last = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1);
      throw new Error(`${name} cannot be started: ${ended}${last ? `; its last line: ${last.slice(0, 200)}` : ''}`);
    }
    await sleep(20);
  }
  return {
    pid: child.pid ?? 0,
    port,
    async stop() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** A port of this machine that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
