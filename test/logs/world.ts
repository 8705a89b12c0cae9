import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logging } from '../../init/bundle/schema.ts';
import { createLogs, type LogsOptions } from '../../init/logs/create.ts';
import type { Logs, Tap } from '../../init/logs/logs.ts';
import { makePipe } from '../../init/posix/descriptors.ts';

export const LOGGING: Logging = { on_full: 'block', max_line: 16_384, ring: 262_144 };

/** The reader of the init's stdout. */
export interface Reader {
  text(): string;
  lines(): string[];
  pause(): void;
  resume(): void;
  leave(): void;
}

/** Logs that write to a pipe which a test reads. */
export interface World {
  readonly logs: Logs;
  readonly reader: Reader;
  /** The reader leaves, then the init's end is closed. */
  close(): Promise<void>;
}

export function createWorld(options: Partial<LogsOptions> = {}): World {
  const { read, write } = makePipe();
  const reader = createReader(read);
  const logs = createLogs({ fd: write, format: 'raw', colour: false, ...options });
  return {
    logs,
    reader,
    close: async () => {
      reader.leave();
      await logs.flush(10_000);
      closeSync(write);
    },
  };
}

function createReader(fd: number): Reader {
  const chunks: Buffer[] = [];
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const text = () => Buffer.concat(chunks).toString('latin1');
  return {
    text,
    lines: () => text().split('\n').slice(0, -1),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    leave: () => socket.destroy(),
  };
}

/** A daemon whose stdout is read by the logs. */
export interface Writer {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  readonly stdout: Tap;
  readonly stderr: Tap;
  readonly ended: Promise<unknown>;
}

/** Starts a real program with two real pipes. */
export function start(
  logs: Logs,
  daemon: string,
  command: readonly [string, ...string[]],
  logging: Partial<Logging> = {},
  options: SpawnOptions = {},
): Writer {
  const [out, err] = [makePipe(), makePipe()];
  const [program, ...args] = command;
  const child = spawn(program, args, { ...options, stdio: ['ignore', out.write, err.write] });
  closeSync(out.write);
  closeSync(err.write);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stdout = logs.attach(daemon, 'stdout', out.read, { ...LOGGING, ...logging });
  const stderr = logs.attach(daemon, 'stderr', err.read, { ...LOGGING, ...logging });
  return { child, exited, stdout, stderr, ended: Promise.all([stdout.ended, stderr.ended]) };
}

/** A program that writes `count` numbered lines to each stream, in pieces that end anywhere. */
export function flood(name: string, count: number): [string, ...string[]] {
  const program = `
    const { writeSync } = require('node:fs');
    let seed = ${name.charCodeAt(0)};
    const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
    for (let from = 0; from < ${count}; from += 1000)
      for (const fd of [1, 2]) {
        let text = '';
        for (let i = from; i < Math.min(from + 1000, ${count}); i += 1) text += '${name} ' + fd + ' ' + i + ' ' + 'x'.repeat(i % 150) + '\\n';
        while (text.length > 0) {
          const part = 1 + Math.floor(random() * 20000);
          writeSync(fd, text.slice(0, part));
          text = text.slice(part);
        }
      }`;
  return [process.execPath, '-e', program];
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, what: string, ms = 20_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms`);
    await sleep(2);
  }
}
