import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { BundleStatus } from '../../init/status.ts';
import { asProcessOne } from '../posix/pid-namespace.ts';

/** The command as a user has it: built, by its shell script. */
export const BOTTLED = fileURLToPath(new URL('../../bin/bottled', import.meta.url));

export interface StartOptions {
  /** As process 1 of a PID namespace of its own. */
  readonly asProcessOne?: boolean;
  /** A command that runs it as its arguments: setpriv with its options, say. */
  readonly via?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** An init under test, with a bundle file and a run directory of its own. */
export interface RunningInit {
  readonly directory: string;
  readonly pid: number;
  /** All that it has printed so far, stdout and stderr. */
  output(): string;
  /** Resolves as soon as the output matches; rejects after 20 s, or when the init ends without that. */
  saw(pattern: RegExp, times?: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Its reader goes away. */
  closeOutput(): void;
  /** Its exit code, once it has ended. */
  ended(): Promise<number | undefined>;
  /** Runs another verb against it. */
  bottled(...args: string[]): Promise<{ exitCode: number | undefined; stdout: string; stderr: string }>;
  status(): Promise<BundleStatus>;
  write(bundle: string): void;
}

const PATIENCE_MS = 20_000;

/** Starts `bottled run` on this bundle; it is killed at the end of the test. */
export function startInit(t: TestContext, bundle: string, options: StartOptions = {}): RunningInit {
  const directory = mkdtempSync(join(tmpdir(), 'bottled-run-'));
  const file = join(directory, 'bundle.yaml');
  writeFileSync(file, bundle);
  return startInitOn(t, file, directory, options);
}

/** Starts `bottled run` on the bundle in `file`; it is killed, and `directory` removed, at the end of the test. */
export function startInitOn(t: TestContext, file: string, directory: string, options: StartOptions = {}): RunningInit {
  const socket = join(directory, 'run', 'control.sock');
  const argv = [
    ...(options.via ?? []),
    BOTTLED,
    'run',
    '-f',
    file,
    '--socket',
    socket,
    '--log-format',
    'text',
    ...(options.args ?? []),
  ];
  const [command, args] = options.asProcessOne ? asProcessOne(argv) : [argv[0] ?? '', argv.slice(1)];
  const env = { PATH: process.env.PATH ?? '', HOME: directory, ...options.env };
  const child = execa(command, args, {
    reject: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    extendEnv: false,
    env,
  });
  let output = '';
  let over = false;
  const waiting = new Set<() => void>();
  const look = (): void => {
    for (const each of waiting) each();
  };
  child.all?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    look();
  });
  const end = child.then((result) => {
    over = true;
    look();
    return result.exitCode ?? (result.signal === undefined ? undefined : 128);
  });
  t.after(async () => {
    // The second one kills what the bundle runs, and so leaves nothing behind; an init that does not hear it is killed itself.
    for (const _ of ['at once', 'now']) child.kill('SIGTERM');
    const deaf = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS / 4);
    await end;
    clearTimeout(deaf);
    rmSync(directory, { recursive: true, force: true });
  });

  const saw = (pattern: RegExp, times = 1): Promise<void> =>
    new Promise((resolve, reject) => {
      const global = new RegExp(pattern.source, `${pattern.flags.replace('g', '')}g`);
      const fail = (why: string): void => {
        waiting.delete(check);
        clearTimeout(timer);
        reject(new Error(`${why}: ${pattern} ×${times} not seen in:\n${output}`));
      };
      const check = (): void => {
        if ((output.match(global)?.length ?? 0) >= times) {
          waiting.delete(check);
          clearTimeout(timer);
          resolve();
        } else if (over) fail('the init has ended');
      };
      const timer = setTimeout(() => fail('too late'), PATIENCE_MS);
      waiting.add(check);
      check();
    });
  const bottled: RunningInit['bottled'] = async (...args) => {
    // It is made once the daemons are started.
    for (const deadline = Date.now() + 10_000; !existsSync(socket) && !over; ) {
      if (Date.now() > deadline) break;
      await delay(10);
    }
    const { exitCode, stdout, stderr } = await execa(BOTTLED, [...args, '--socket', socket], {
      reject: false,
      stdin: 'ignore',
      extendEnv: false,
      env: { PATH: process.env.PATH ?? '' },
    });
    return { exitCode, stdout, stderr };
  };
  return {
    directory,
    pid: child.pid ?? 0,
    output: () => output,
    saw,
    signal: (signal) => void child.kill(signal),
    closeOutput: () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
    ended: () => end,
    bottled,
    async status() {
      const { stdout, stderr } = await bottled('status', '--json');
      if (stdout === '') throw new Error(stderr);
      return JSON.parse(stdout);
    },
    write: (text) => writeFileSync(file, text),
  };
}
