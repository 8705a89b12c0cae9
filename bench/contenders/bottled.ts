import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender, Daemon } from './contender.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/bottled');

function bundle(daemons: readonly Daemon[]): string {
  const entries = daemons.map(
    ({ name, command, restart }) =>
      `  ${name}:\n    command: ${JSON.stringify(command)}\n    restart: ${restart ? 'always' : '"no"'}\n` +
      `    backoff: { initial: 0, factor: 1, max_attempts: unlimited }\n`,
  );
  return `name: bench\ndaemons:\n${entries.join('')}`;
}

function bottled(name: string, format: 'text' | 'json', only?: readonly string[]): Contender {
  return {
    name,
    role: 'ours',
    ...(only && { only }),
    absent() {
      const { status, stderr, error } = spawnSync(PROGRAM, ['version'], { encoding: 'utf8' });
      return status === 0 ? undefined : (error?.message ?? stderr.trim());
    },
    prepare(directory, daemons) {
      const file = join(directory, 'bundle.yaml');
      writeFileSync(file, bundle(daemons));
      return {
        command: [PROGRAM, 'run', '-f', file, '--socket', socket(directory), '--log-format', format],
        environment: { BOTTLED_SOCKET: socket(directory) },
      };
    },
    stopSignal: 'SIGTERM',
    settle: 200,
    status: (directory) => [PROGRAM, 'status', '--json', '--socket', socket(directory)],
  };
}

const socket = (directory: string) => join(directory, 'control.sock');

export const bottledText = bottled('bottled', 'text');
export const bottledJson = bottled('bottled-json', 'json', ['logs']);
