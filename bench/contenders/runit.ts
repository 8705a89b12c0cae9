import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, needs, shellLine } from './contender.ts';

/** runsvdir(8), daemons write straight into its stdout. It leaves its services alone on SIGTERM, and stops them on SIGHUP. */
export const runit: Contender = {
  name: 'runit',
  role: 'peer',
  absent: () => needs('runsvdir', 'runit'),
  prepare(directory, daemons) {
    const services = join(directory, 'services');
    for (const { name, command } of daemons) {
      mkdirSync(join(services, name), { recursive: true });
      writeFileSync(join(services, name, 'run'), `#!/bin/sh\nexec ${shellLine(command)}\n`, { mode: 0o755 });
    }
    // runsvdir(8) sleeps for a second over a directory that was changed within this one.
    utimesSync(services, 1, 1);
    return { command: ['runsvdir', services] };
  },
  stopSignal: 'SIGHUP',
  settle: 1_100,
};
