import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, needs, shellLine } from './contender.ts';

/** tini(1) and a shell script with one loop per daemon, which write straight into its stdout. */
export const tini: Contender = {
  name: 'tini-sh',
  role: 'peer',
  absent: () => needs('tini', 'tini'),
  prepare(directory, daemons) {
    const file = join(directory, 'daemons.sh');
    const loops = daemons.map(({ command }) => `keep ${shellLine(command)} &\n`);
    writeFileSync(file, `keep() { while :; do "$@"; done; }\n${loops.join('')}wait\n`);
    return { command: ['tini', '-s', '-g', '--', 'sh', file] };
  },
  stopSignal: 'SIGTERM',
  settle: 200,
};
