import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender } from './contender.ts';

export const floor: Contender = {
  name: 'floor',
  role: 'floor',
  absent: () => undefined,
  prepare(directory, daemons) {
    const file = join(directory, 'daemons.json');
    writeFileSync(file, JSON.stringify(daemons));
    return { command: [process.execPath, join(import.meta.dirname, '../floor.cjs'), file] };
  },
  stopSignal: 'SIGTERM',
  settle: 200,
};
