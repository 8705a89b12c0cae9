import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { createLogReader, createMessageReader, type LineReader } from './lines.ts';
import { StartError, type StartOptions, type ToolEnd, type ToolProcess } from './process.ts';

/** A program of this machine that carries a tool: the tool itself, or the client of an engine in which it runs. */
export interface Carrier {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** For logs. */
  readonly idOf: (pid: number) => string;
  /** Asks the tool to end, as SIGTERM does. */
  readonly ask: (pid: number) => void | Promise<void>;
  /** Ends it whatever it does. */
  readonly kill: (pid: number) => void | Promise<void>;
  /** After the program has ended: ends what it left behind. Never rejects. */
  readonly clean: (pid: number) => void | Promise<void>;
}

/** From the end of a process until its pipes must be closed: who left its group may hold them open. Milliseconds. */
const PIPES_MS = 500;
const GRACE_MS = 2000;

/** Starts a program in a process group of its own and speaks JSON-RPC lines to it. Rejects with {@link StartError}. */
export async function startCarrier(carrier: Carrier, options: StartOptions): Promise<ToolProcess> {
  const child = spawnIn(carrier);
  const { stdin, stdout, stderr } = child;
  child.on('error', () => {});
  if (stdin === null || stdout === null || stderr === null) throw new StartError('no pipes can be had', false);
  const ended = endOf(child, carrier);
  stdin.on('error', () => {});
  readLines(
    stdout,
    createMessageReader({
      onMessage: options.onMessage,
      onDropped: options.onDropped ?? (() => {}),
      maxMessage: options.maxMessage,
      mask: options.mask,
    }),
  );
  readLines(stderr, createLogReader(options.onStderr ?? (() => {}), options.mask));
  const pid = await startOf(child);
  stdout.once('end', () => killIfDeaf(child, carrier, pid));
  return processOf({ pid, carrier, stdin, ended, grace: options.grace ?? GRACE_MS });
}

function spawnIn({ program, args, cwd, env }: Carrier): ChildProcess {
  try {
    return spawn(program, [...args], { cwd, env: { ...env }, detached: true, stdio: 'pipe' });
  } catch (error) {
    throw new StartError(`cannot be started: ${error instanceof Error ? error.message : String(error)}`, true);
  }
}

async function startOf(child: ChildProcess): Promise<number> {
  try {
    if (child.pid === undefined) await once(child, 'spawn');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    // Out of processes or memory can pass; that the program is not there does not.
    throw new StartError(`cannot be started (${code})`, code !== 'EAGAIN' && code !== 'ENOMEM' && code !== 'EMFILE');
  }
  if (child.pid === undefined) throw new StartError('cannot be started', false);
  return child.pid;
}

function readLines(stream: Readable, reader: LineReader): void {
  stream.on('data', (chunk: Buffer) => reader.push(chunk));
  stream.on('end', () => reader.end());
  stream.on('error', () => {});
}

/** Who closed its stdout can answer nothing any more; where it does not end by itself, it is ended. */
function killIfDeaf(child: ChildProcess, carrier: Carrier, pid: number): void {
  const late = setTimeout(() => void carrier.kill(pid), PIPES_MS);
  child.once('exit', () => clearTimeout(late));
  if (child.exitCode !== null || child.signalCode !== null) clearTimeout(late);
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Resolves when the program is gone, with what it left behind, and its output has been read. */
function endOf(child: ChildProcess, carrier: Carrier): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const closed = new Promise<void>((done) => child.once('close', () => done()));
  child.once('exit', (code, signal) => {
    void (async () => {
      if (child.pid !== undefined) await carrier.clean(child.pid);
      const pipes = setTimeout(() => {
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
      }, PIPES_MS);
      await closed;
      clearTimeout(pipes);
      resolve({ code, signal });
    })();
  });
  return promise;
}

interface Parts {
  readonly pid: number;
  readonly carrier: Carrier;
  readonly stdin: Writable;
  readonly ended: Promise<Ended>;
  readonly grace: number;
}

function processOf({ pid, carrier, stdin, ended, grace }: Parts): ToolProcess {
  let asked = false;
  let hasEnded = false;
  const end = ended.then(({ code, signal }): ToolEnd => {
    hasEnded = true;
    return signal === null ? { kind: 'exit', code: code ?? 0, asked } : { kind: 'signal', signal, asked };
  });
  let stopping: Promise<ToolEnd> | undefined;
  let isCollecting = false;

  /** Messages of many callers that come in one turn of the event loop go out by one system call. */
  function collect(): void {
    if (isCollecting) return;
    isCollecting = true;
    stdin.cork();
    setImmediate(() => {
      isCollecting = false;
      stdin.uncork();
    });
  }

  async function stopNow(): Promise<ToolEnd> {
    asked = true;
    stdin.end();
    if (await isOver(end, grace)) return end;
    await carrier.ask(pid);
    if (await isOver(end, grace)) return end;
    await carrier.kill(pid);
    return end;
  }

  return {
    id: carrier.idOf(pid),
    ended: end,
    send(message) {
      if (hasEnded || !stdin.writable) return true;
      collect();
      return stdin.write(`${message}\n`);
    },
    async drained() {
      if (hasEnded || !stdin.writable || !stdin.writableNeedDrain) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      stdin.once('drain', resolve);
      stdin.once('close', resolve);
      await Promise.race([promise, end]);
      stdin.off('drain', resolve);
      stdin.off('close', resolve);
    },
    stop: () => (stopping ??= hasEnded ? end : stopNow()),
  };
}

/** Whether it has ended within `time` milliseconds. */
async function isOver(end: Promise<unknown>, time: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), time);
  const over = await Promise.race([end.then(() => true), promise]);
  clearTimeout(timer);
  return over;
}

/** Sends a signal to a process group; one that is gone is no fault. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone already, which is what was asked for.
  }
}
