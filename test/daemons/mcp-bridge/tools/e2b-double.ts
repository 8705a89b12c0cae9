import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { E2bRun } from '../../../../daemons/mcp-bridge/tools/e2b.ts';

/** The part of the e2b SDK that the driver uses, with a process group of this machine in place of a sandbox. */
export function createE2bDouble() {
  const sandboxes = new Map<string, { readonly instance: string; readonly kill: () => Promise<boolean> }>();

  async function create(_template: string, options: { metadata: Record<string, string>; apiKey: string }) {
    if (options.apiKey !== 'right') throw new Error('401: the key is not valid');
    const sandboxId = randomUUID();
    let child: ChildProcess | undefined;
    const kill = async (): Promise<boolean> => {
      sandboxes.delete(sandboxId);
      try {
        if (child?.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
      return true;
    };
    sandboxes.set(sandboxId, { instance: options.metadata['bottled.instance'] ?? '', kill });
    return {
      sandboxId,
      kill,
      setTimeout: async () => {},
      commands: {
        async run(command: string, { envs, onStdout, onStderr, cwd }: E2bRun) {
          const started = spawn('sh', ['-c', command], {
            cwd,
            env: { PATH: process.env.PATH, ...envs },
            detached: true,
          });
          child = started;
          started.stdin.on('error', () => {});
          started.stdout.setEncoding('utf8').on('data', onStdout);
          started.stderr.setEncoding('utf8').on('data', onStderr);
          const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
            started.once('exit', (code, signal) => setTimeout(() => resolve({ code, signal }), 50));
          });
          return {
            pid: started.pid ?? 0,
            async wait() {
              const { code, signal } = await ended;
              if (code === 0) return { exitCode: 0 };
              throw Object.assign(new Error(`ended: ${code ?? signal}`), code === null ? {} : { exitCode: code });
            },
          };
        },
        async sendStdin(_pid: number, data: string) {
          child?.stdin?.write(data);
        },
        async closeStdin() {
          child?.stdin?.end();
        },
      },
    };
  }

  // The SDK's is a class with static functions.
  const Sandbox = Object.assign(() => {}, {
    create,
    list({ query }: { query: { metadata: Record<string, string> } }) {
      let hasNext = true;
      return {
        get hasNext() {
          return hasNext;
        },
        async nextItems() {
          hasNext = false;
          const wanted = query.metadata['bottled.instance'];
          return [...sandboxes].flatMap(([sandboxId, { instance }]) => (instance === wanted ? [{ sandboxId }] : []));
        },
      };
    },
    async kill(id: string) {
      await sandboxes.get(id)?.kill();
    },
  });
  return { load: async () => ({ Sandbox }), running: () => sandboxes.size };
}
