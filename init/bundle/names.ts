import { SIGNAL_NAMES, type SignalName } from '../posix/signal-names.ts';

/** Names of daemons become path segments, log prefixes and label values, so they are kept plain (a DNS label, with `_` and `.`). */
export const NAME = /^[a-z0-9][a-z0-9_.-]{0,62}$/i;

/** Names of getrlimit(2) as Compose and prlimit(1) write them. */
export const ULIMITS = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
] as const;

/** Capabilities as capabilities(7) names them, without their `CAP_`. */
export const CAPABILITIES: readonly string[] = [
  'AUDIT_CONTROL',
  'AUDIT_READ',
  'AUDIT_WRITE',
  'BLOCK_SUSPEND',
  'BPF',
  'CHECKPOINT_RESTORE',
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'IPC_LOCK',
  'IPC_OWNER',
  'KILL',
  'LEASE',
  'LINUX_IMMUTABLE',
  'MAC_ADMIN',
  'MAC_OVERRIDE',
  'MKNOD',
  'NET_ADMIN',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_RAW',
  'PERFMON',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYSLOG',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_CHROOT',
  'SYS_MODULE',
  'SYS_NICE',
  'SYS_PACCT',
  'SYS_PTRACE',
  'SYS_RAWIO',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'WAKE_ALARM',
];

/** Signals that PID 1 keeps for itself, with the reason: `signals` in a bundle file may not name them. */
export const RESERVED_SIGNALS: Readonly<Record<string, string>> = {
  SIGTERM: 'it ends the bundle',
  SIGINT: 'it ends the bundle',
  SIGQUIT: 'it ends the bundle',
  SIGCHLD: 'the init reaps its children by it',
  SIGKILL: 'no process can catch it',
  SIGSTOP: 'no process can catch it',
  SIGSEGV: 'it says that the init itself is broken',
  SIGBUS: 'it says that the init itself is broken',
  SIGFPE: 'it says that the init itself is broken',
  SIGILL: 'it says that the init itself is broken',
  SIGPIPE: 'the init ignores it',
  SIGWINCH: 'the init ignores it',
  SIGCONT: 'it lets a stopped init go on',
  SIGPROF: 'profilers use it',
};

/** Signals that a bundle may give a meaning. */
export const FREE_SIGNALS: readonly SignalName[] = SIGNAL_NAMES.filter((name) => RESERVED_SIGNALS[name] === undefined);
