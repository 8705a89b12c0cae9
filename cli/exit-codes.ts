/** The exit codes of every verb but `run` and `exec`, which end with the code of what they ran. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  noSuchDaemon: 3,
  notReachable: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each exit code means, for help and reference. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: 'ok',
  1: 'failed, refused or unhealthy',
  2: 'usage or configuration; nothing was started or changed',
  3: 'no such daemon, or no such proposal',
  4: 'the init, or supervise, is not reachable',
};
