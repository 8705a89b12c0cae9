import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, needs, shellLine } from './contender.ts';

function s6(name: string, logged: boolean): Contender {
  return {
    name,
    role: 'peer',
    absent: () => needs('s6-svscan', 's6'),
    prepare(directory, daemons) {
      const services = join(directory, 'services');
      for (const daemon of daemons) {
        const service = join(services, daemon.name);
        mkdirSync(service, { recursive: true });
        // Without word of its readiness s6 waits for a second before each restart.
        writeFileSync(join(service, 'notification-fd'), '3\n');
        const run = `#!/bin/sh\necho >&3\nexec ${shellLine(daemon.command)}\n`;
        writeFileSync(join(service, 'run'), run, { mode: 0o755 });
        if (!logged) continue;
        mkdirSync(join(service, 'log'));
        const log = `#!/bin/sh\nexec s6-log -b 'p${daemon.name} |' 1\n`;
        writeFileSync(join(service, 'log/run'), log, { mode: 0o755 });
      }
      return { command: ['s6-svscan', services] };
    },
    stopSignal: 'SIGTERM',
    settle: 1_100,
  };
}

/** s6-svscan(1), daemons write straight into its stdout. */
export const s6Plain = s6('s6', false);
/** s6-svscan(1), one s6-log(1) per daemon adds the prefix. */
export const s6Log = s6('s6-log', true);
