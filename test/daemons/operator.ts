import { join } from 'node:path';
import { execa } from 'execa';
import type { Proposal } from '../../daemons/supervise/proposal.ts';
import { BOTTLED } from '../run/init.ts';
import type { Bottle } from './bottle.ts';

export interface Said {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** The operator of a bottle, who decides by `bottled proposals`. */
export interface Operator {
  proposals(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Said>;
  /** Starts the command and does not wait for it. */
  spawn(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): { kill(): void; readonly said: Promise<Said> };
  /** Waits until there is a proposal to decide. */
  pending(): Promise<Proposal>;
}

const PATIENCE_MS = 20_000;

export function operatorOf(bottle: Bottle): Operator {
  function spawn(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
    const child = execa(BOTTLED, ['proposals', ...args, '--socket', join(bottle.directory, 'run', 'control.sock')], {
      reject: false,
      stdin: 'ignore',
      extendEnv: false,
      timeout: 60_000,
      env: {
        PATH: process.env.PATH ?? '',
        BOTTLED_CONFIG: bottle.config,
        BOTTLED_DATA: bottle.data,
        EGRESS_PORT: String(bottle.ports.EGRESS_PORT),
        PIPELOCK_HEALTH_PORT: String(bottle.ports.PIPELOCK_HEALTH_PORT),
        ...more,
      },
    });
    const said = child.then(({ exitCode, stdout, stderr }) => ({ exitCode, stdout, stderr }));
    return { kill: () => void child.kill('SIGKILL'), said };
  }
  const proposals: Operator['proposals'] = (args, env) => spawn(args, env).said;
  return {
    spawn,
    proposals,
    async pending() {
      for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; ) {
        const { stdout } = await proposals(['watch', '--once', '--json']);
        if (stdout !== '') return JSON.parse(stdout.split('\n', 1)[0] ?? '');
      }
      throw new Error('no proposal came');
    },
  };
}
