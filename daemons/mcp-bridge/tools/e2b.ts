import type { Log } from '../../log/log.ts';
import { createLogReader, createMessageReader } from './lines.ts';
import {
  type ProcessManager,
  StartError,
  type StartOptions,
  type ToolCommand,
  type ToolEnd,
  type ToolProcess,
} from './process.ts';

/** What is used of the SDK of e2b.dev (npm `e2b`, 2.x). */
export interface E2bSdk {
  readonly Sandbox: {
    create(template: string, options: E2bCreate): Promise<E2bSandbox>;
    list(options: E2bList): E2bPages;
    kill(id: string, options: { readonly apiKey: string }): Promise<unknown>;
  };
}

interface E2bCreate {
  readonly apiKey: string;
  readonly timeoutMs: number;
  readonly metadata: Readonly<Record<string, string>>;
}

interface E2bList {
  readonly apiKey: string;
  readonly query: { readonly metadata: Readonly<Record<string, string>> };
}

interface E2bPages {
  readonly hasNext: boolean;
  nextItems(): Promise<readonly { readonly sandboxId: string }[]>;
}

export interface E2bSandbox {
  readonly sandboxId: string;
  setTimeout(timeoutMs: number): Promise<unknown>;
  kill(): Promise<unknown>;
  readonly commands: {
    run(command: string, options: E2bRun): Promise<E2bHandle>;
    sendStdin(pid: number, data: string): Promise<void>;
    closeStdin?(pid: number): Promise<void>;
  };
}

export interface E2bRun {
  readonly background: true;
  readonly stdin: true;
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly envs: Readonly<Record<string, string>>;
  readonly onStdout: (data: string) => void;
  readonly onStderr: (data: string) => void;
}

export interface E2bHandle {
  readonly pid: number;
  /** Rejects with an error that has an `exitCode` where that is not 0. */
  wait(): Promise<{ readonly exitCode: number }>;
}

export interface E2bOptions {
  readonly instance: string;
  /** Undefined: no tool of this driver starts. */
  readonly apiKey: string | undefined;
  readonly log: Log;
  /** Default: the package `e2b`, where it is installed. */
  readonly loadSdk?: () => Promise<unknown>;
}

/** A sandbox lives so long unless it is told to live on: one that a dead bridge left behind ends by itself. Milliseconds. */
const LIFE_MS = 600_000;
const RENEW_MS = 180_000;
/** Written but not yet taken: more than this and the writer is told to wait. In characters. */
const MOST_WAITING = 1_048_576;
const GRACE_MS = 2000;
const PACKAGE = 'e2b';

/** Tools as sandboxes of e2b.dev, one for each process. The SDK is loaded when the first one starts. */
export function createE2bManager({
  instance,
  apiKey,
  log,
  loadSdk = () => import(PACKAGE),
}: E2bOptions): ProcessManager {
  let loading: Promise<E2bSdk> | undefined;

  async function load(): Promise<{ readonly sdk: E2bSdk; readonly key: string }> {
    if (apiKey === undefined) {
      throw new StartError(
        'driver e2b needs a key: put it into the file E2B_API_KEY in $CREDENTIALS_DIRECTORY, or into that variable',
        true,
      );
    }
    loading ??= loadSdk().then(checkSdk, (error: unknown) => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      throw new StartError(
        `driver e2b needs the package e2b, and it cannot be loaded (${code}); install it: npm install e2b@2`,
        true,
      );
    });
    return { sdk: await loading, key: apiKey };
  }

  return {
    driver: 'e2b',
    async start(command, options) {
      const { sdk, key } = await load();
      const metadata = { 'bottled.instance': instance, 'bottled.tool': command.tool };
      try {
        const sandbox = await sdk.Sandbox.create(command.image ?? 'base', {
          apiKey: key,
          timeoutMs: LIFE_MS,
          metadata,
        });
        return await startIn(sandbox, command, options).catch(async (error: unknown) => {
          await killQuietly(sandbox, log);
          throw error;
        });
      } catch (error) {
        throw new StartError(`its sandbox cannot be started: ${options.mask(messageOf(error))}`, false);
      }
    },
    async sweep() {
      if (apiKey === undefined) return;
      try {
        const { sdk, key } = await load();
        const pages = sdk.Sandbox.list({ apiKey: key, query: { metadata: { 'bottled.instance': instance } } });
        while (pages.hasNext) {
          for (const { sandboxId } of await pages.nextItems()) await sdk.Sandbox.kill(sandboxId, { apiKey: key });
        }
      } catch (error) {
        log(
          'warn',
          `sandboxes of an earlier life could not be looked for: ${messageOf(error)}; they end by themselves within 10 minutes`,
          {
            event: 'sandboxes-not-swept',
          },
        );
      }
    },
  };

  async function startIn(sandbox: E2bSandbox, command: ToolCommand, options: StartOptions): Promise<ToolProcess> {
    const { onMessage, onDropped = () => {}, onStderr = () => {}, maxMessage, mask, grace = GRACE_MS } = options;
    const stdout = createMessageReader({ onMessage, onDropped, maxMessage, mask });
    const stderr = createLogReader(onStderr, mask);
    const handle = await sandbox.commands.run(command.command.map(quoted).join(' '), {
      background: true,
      stdin: true,
      timeoutMs: 0,
      envs: { ...command.environment, ...options.environment },
      ...(command.workingDir === undefined ? {} : { cwd: command.workingDir }),
      onStdout: (data) => stdout.push(Buffer.from(data)),
      onStderr: (data) => stderr.push(Buffer.from(data)),
    });
    const renew = setInterval(() => void sandbox.setTimeout(LIFE_MS).catch(() => {}), RENEW_MS);
    renew.unref();
    let asked = false;
    let hasEnded = false;
    let waiting = 0;
    let writing: Promise<void> = Promise.resolve();
    const over = Promise.withResolvers<'killed'>();

    const ended = Promise.race([codeOf(handle), over.promise]).then(async (code): Promise<ToolEnd> => {
      hasEnded = true;
      clearInterval(renew);
      stdout.end();
      stderr.end();
      await killQuietly(sandbox, log);
      return typeof code === 'number' ? { kind: 'exit', code, asked } : { kind: 'signal', signal: 'SIGKILL', asked };
    });
    let stopping: Promise<ToolEnd> | undefined;

    async function stop(): Promise<ToolEnd> {
      asked = true;
      await Promise.race([writing.then(() => sandbox.commands.closeStdin?.(handle.pid)).catch(() => {}), delay(grace)]);
      if ((await Promise.race([ended, delay(grace)])) === undefined) over.resolve('killed');
      return await ended;
    }

    return {
      id: `sandbox ${sandbox.sandboxId}`,
      ended,
      send(message) {
        if (hasEnded) return true;
        waiting += message.length;
        writing = writing
          .then(() => (hasEnded ? undefined : sandbox.commands.sendStdin(handle.pid, `${message}\n`)))
          .catch((error: unknown) => {
            // A message that is lost is a call without an answer: the tool ends, and its callers are told.
            log(
              'error',
              `a message did not reach the sandbox ${sandbox.sandboxId}: ${mask(messageOf(error))}; it is ended`,
              {
                event: 'sandbox-lost',
                tool: command.tool,
              },
            );
            over.resolve('killed');
          })
          .finally(() => {
            waiting -= message.length;
          });
        return waiting <= MOST_WAITING;
      },
      drained: () => Promise.race([writing, ended.then(() => undefined)]),
      stop: () => (stopping ??= stop()),
    };
  }
}

function checkSdk(loaded: unknown): E2bSdk {
  if (isSdk(loaded)) return loaded;
  throw new StartError(
    'the package e2b has no Sandbox.create, Sandbox.list and Sandbox.kill; this needs version 2',
    true,
  );
}

function isSdk(loaded: unknown): loaded is E2bSdk {
  if (typeof loaded !== 'object' || loaded === null || !('Sandbox' in loaded)) return false;
  const { Sandbox } = loaded;
  return (
    typeof Sandbox === 'function' &&
    ['create', 'list', 'kill'].every((name) => typeof Reflect.get(Sandbox, name) === 'function')
  );
}

/** The exit code; `killed` where the command was cut off. */
async function codeOf(handle: E2bHandle): Promise<number | 'killed'> {
  try {
    return (await handle.wait()).exitCode;
  } catch (error) {
    const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'exitCode') : undefined;
    return typeof code === 'number' ? code : 'killed';
  }
}

async function killQuietly(sandbox: E2bSandbox, log: Log): Promise<void> {
  try {
    await sandbox.kill();
  } catch (error) {
    log(
      'warn',
      `the sandbox ${sandbox.sandboxId} could not be ended: ${messageOf(error)}; it ends by itself within 10 minutes`,
      {
        event: 'sandbox-left',
      },
    );
  }
}

/** For the shell that the SDK runs commands with. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function delay(time: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), time).unref());
}
