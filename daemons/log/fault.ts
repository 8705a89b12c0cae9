import type { Log } from './log.ts';

const EXIT_FAILED = 1;

/** A fault of the daemon's own is one line in its log, and its end: nobody can tell what still holds. The init starts it again. */
export function endOnFault(daemon: string, log: Log): void {
  process.on('uncaughtException', (error) => {
    log('error', `${daemon} ends, since something in it went wrong: ${error.message}`, { event: 'internal-fault' });
    process.exit(EXIT_FAILED);
  });
}
