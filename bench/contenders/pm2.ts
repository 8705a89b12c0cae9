import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, findProgram } from './contender.ts';

const program = () => process.env.BENCH_PM2 ?? findProgram('pm2-runtime');

/** pm2-runtime(1), run by the same Node as ours. */
export const pm2: Contender = {
  name: 'pm2-runtime',
  role: 'peer',
  absent: () =>
    program() === undefined
      ? 'pm2-runtime is not on the PATH, nor named by BENCH_PM2 (bench/install-peers.sh)'
      : undefined,
  prepare(directory, daemons) {
    const file = join(directory, 'ecosystem.json');
    const apps = daemons.map(({ name, command }) => ({
      name,
      script: command[0],
      args: command.slice(1),
      interpreter: 'none',
      out_file: '/dev/null',
      error_file: '/dev/null',
    }));
    writeFileSync(file, JSON.stringify({ apps }));
    return {
      command: [process.execPath, realpathSync(program() ?? 'pm2-runtime'), 'start', file],
      environment: { PM2_HOME: join(directory, 'pm2'), PM2_DISCRETE_MODE: 'true' },
    };
  },
  stopSignal: 'SIGTERM',
  settle: 1_100,
};
