import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, needs } from './contender.ts';

/** supervisord(1) with its defaults, all output to its own stdout. */
export const supervisord: Contender = {
  name: 'supervisord',
  role: 'peer',
  absent: () => needs('supervisord', 'supervisor'),
  prepare(directory, daemons) {
    const file = join(directory, 'supervisord.conf');
    const programs = daemons.map(
      ({ name, command }) =>
        `[program:${name}]\ncommand=${command.join(' ')}\nautorestart=true\nstdout_logfile=/dev/stdout\n` +
        `stdout_logfile_maxbytes=0\nredirect_stderr=true\n`,
    );
    writeFileSync(
      file,
      `[supervisord]\nnodaemon=true\nuser=root\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=${join(directory, 'pid')}\n${programs.join('')}`,
    );
    return { command: ['supervisord', '-c', file] };
  },
  stopSignal: 'SIGTERM',
  settle: 1_500,
};
