import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../log/log.ts';
import type { Engine, Running } from './engine.ts';
import type { PipelockConfig } from './pipelock-config.ts';

/**
 * All that the program gets of our environment. It takes every long value of its own environment for a secret to look for
 * (`dlp.scan_env`), and what it does not know it cannot lose. HOME is where it would look for files of its own.
 */
const PASSED = ['PATH', 'HOME', 'TZ', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

const CHECK_MS = 15_000;
/** pipelock gives running requests 5 s. */
const STOP_MS = 7_000;

/** The real program. Its log goes to our stdout and stderr as it is. */
export function realEngine(binary: string, log: Log, environment: NodeJS.ProcessEnv = process.env): Engine {
  const env = Object.fromEntries(PASSED.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));

  function check(file: string): Promise<readonly string[]> {
    return new Promise((resolve) => {
      const options = { env, timeout: CHECK_MS, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 } as const;
      execFile(binary, ['check', '--config', file], options, (error, stdout, stderr) => {
        if (error === null) return resolve([]);
        const said = `${stderr}\n${stdout}`.split('\n').filter((line) => line.trim() !== '');
        resolve(said.length > 0 ? said.slice(0, 20) : [`${binary} check failed: ${error.code ?? error.signal}`]);
      });
    });
  }

  function start(file: string): Promise<Running> {
    const run = () => spawn(binary, ['run', '--config', file], { env, stdio: ['ignore', 'inherit', 'inherit'] });
    return keepOne(run, log);
  }

  return { kind: 'pipelock', check, start };
}

/** Runs one child at a time: a restart of ours is no end, any other end of it is. */
async function keepOne(run: () => ChildProcess, log: Log): Promise<Running> {
  let child = await spawned(run());
  let isStopped = false;
  let isRestarting = false;
  let killer: NodeJS.Timeout | undefined;
  const end = Promise.withResolvers<number>();
  watch(child);

  function watch(each: ChildProcess): void {
    each.once('exit', (code, signal) => {
      clearTimeout(killer);
      if (!isRestarting || isStopped) end.resolve(exitCode(code, signal));
    });
  }

  function terminate(): void {
    child.kill('SIGTERM');
    clearTimeout(killer);
    const stubborn = child;
    killer = setTimeout(() => stubborn.kill('SIGKILL'), STOP_MS);
  }

  async function restart(): Promise<void> {
    if (isStopped || hasEnded(child)) return;
    isRestarting = true;
    const over = once(child, 'exit');
    terminate();
    await over;
    if (isStopped) return;
    child = await spawned(run());
    isRestarting = false;
    watch(child);
    if (isStopped) terminate();
  }

  return {
    ended: end.promise,
    stop() {
      isStopped = true;
      terminate();
    },
    async reload(previous, next) {
      if (isLive(previous, next)) {
        child.kill('SIGHUP');
        return 'reloaded';
      }
      try {
        await restart();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log('error', `cannot start pipelock again: ${reason}`, { event: 'pipelock.restart-failed', reason });
        end.resolve(1);
      }
      return 'restarted';
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/**
 * Whether pipelock takes this change while it runs. The allow-list and the ignored headers: yes. Listeners and limits of tunnels need a
 * restart, and a reload that widens trust may be refused with nothing but a line in its log, so anything else is a restart.
 */
function isLive(previous: PipelockConfig, next: PipelockConfig): boolean {
  return isDeepStrictEqual(fixedPart(previous), fixedPart(next));
}

function fixedPart(config: PipelockConfig): unknown {
  const { ignore_headers: _live, ...scanning } = config.request_body_scanning;
  return { ...config, api_allowlist: [], request_body_scanning: scanning };
}

function spawned(child: ChildProcess): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child));
    child.once('error', reject);
  });
}

/** 128 + n where signal n ended it, as a shell tells it. */
function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}
