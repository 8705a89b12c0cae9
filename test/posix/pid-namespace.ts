import { execaSync } from 'execa';

const UNSHARE = ['--fork', '--pid', '--mount-proc', '--kill-child'];

/** Why processes cannot be given a PID namespace of their own here; false where they can. For `skip` of a test. */
export const noNamespace: string | false =
  execaSync('unshare', [...UNSHARE, 'true'], { reject: false }).exitCode === 0
    ? false
    : 'needs root and unshare(1) of util-linux for a PID namespace';

/** Why this test needs another user than it has; false for root. */
export const notRoot: string | false = process.getuid?.() === 0 ? false : 'needs root';

/** The command line that runs `argv` as process 1 of a PID namespace of its own, with its own /proc. */
export function asProcessOne(argv: readonly string[]): [string, string[]] {
  return ['unshare', [...UNSHARE, '--', ...argv]];
}
