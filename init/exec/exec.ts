import { writeSync } from 'node:fs';
import { launch } from '../child/launch.ts';
import { send } from '../child/survivors.ts';
import type { Exit, SpawnError } from '../lifecycle/event.ts';
import { holdingBack, unblockSignals } from '../posix/signal-mask.ts';
import { signalNumber } from '../posix/signal-names.ts';
import { becomeSubreaper } from '../posix/this-process.ts';
import { takeStop } from '../posix/wait.ts';
import { createReaper } from '../reaper.ts';
import { CATCHABLE_SIGNALS, installHandlers } from '../signals.ts';
import { EXEC_USAGE, type ExecOptions, parseExecArguments } from './arguments.ts';
import { type Foreground, shareTerminal } from './foreground.ts';

/** Every signal but the one that tells of children; SIGKILL, SIGSTOP and the faults cannot be caught. */
const FORWARDED_SIGNALS = CATCHABLE_SIGNALS.filter((signal) => signal !== 'SIGCHLD');

/**
 * `bottled exec`: one child as tini and dumb-init run it. Owns the process from here on; ends it with the child's exit
 * code, 127 or 126 where it cannot be started, 2 after a usage error.
 */
export function execVerb(argv: readonly string[]): void {
  const parsed = parseExecArguments(argv);
  if ('help' in parsed) {
    writeSync(1, EXEC_USAGE);
    process.exit(0);
  }
  if ('error' in parsed) {
    complain(`${parsed.error}\n${EXEC_USAGE.split('\n', 1)[0]}`);
    process.exit(2);
  }
  try {
    runAsInit(parsed.options);
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}

function runAsInit({ command, subreaper, group, verbose }: ExecOptions): void {
  const tell = verbose ? (text: string) => holdingBack('SIGTTOU', () => complain(text)) : () => {};
  const signals = installHandlers(FORWARDED_SIGNALS);
  unblockSignals();
  adoptOrphans(subreaper, tell);
  const reaper = createReaper({ onOrphan: (pid, exit) => tell(`collected orphan ${pid}: ${described(exit)}`) });

  const terminal = shareTerminal();
  const child = launch({
    argv: command,
    environment: ownEnvironment(),
    descriptors: [0, 1, 2].map((fd) => ({ fd, as: fd })),
    session: 'group',
    terminal: terminal.forNewGroup,
  });
  if ('error' in child) {
    terminal.takeBack();
    complain(child.error.message);
    process.exit(codeOfFailedStart(child.error));
  }
  const { pid } = child;
  terminal.give(pid);
  leaveWorkingDirectory();
  tell(`started ${command[0]} as process ${pid}`);

  reaper.watch(pid, (exit) => {
    tell(`process ${pid} ended: ${described(exit)}`);
    terminal.takeBack();
    process.exit('code' in exit ? exit.code : 128 + signalNumber(exit.signal));
  });

  let stopped = false;
  process.on('SIGCHLD', () => {
    if (!takeStop(pid)) return;
    stopped = true;
    tell(`process ${pid} is stopped`);
    stopToo(terminal, tell);
  });
  signals.setListener((signal) => {
    if (signal === 'SIGCONT') terminal.give(pid);
    // A stop from the terminal reached the whole group, and whoever continues us continues us alone.
    const toGroup = group || (signal === 'SIGCONT' && stopped);
    if (signal === 'SIGCONT') stopped = false;
    tell(`passing ${signal} to ${toGroup ? 'process group' : 'process'} ${pid}`);
    send(toGroup ? -pid : pid, signal);
  });
}

/** As process 1 the kernel brings us all orphans; otherwise only a subreaper gets them. */
function adoptOrphans(required: boolean, tell: (text: string) => void): void {
  if (process.pid === 1) return;
  try {
    becomeSubreaper();
    tell('not process 1: adopting orphans as subreaper');
  } catch (error) {
    if (required) throw error;
    tell(`orphans stay with process 1: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * A stopped child stops its init, so that whoever waits for us (a shell, say) sees it. Process 1 cannot stop, as the
 * kernel keeps it from that; it merely waits for SIGCONT.
 */
function stopToo(terminal: Foreground, tell: (text: string) => void): void {
  if (process.pid === 1) return;
  terminal.takeBack();
  tell('stopping too, until SIGCONT');
  process.kill(process.pid, 'SIGSTOP');
}

/** Shells use these codes (POSIX XCU 2.8.2): 127 not found, 126 found and not executable. */
function codeOfFailedStart({ errno }: SpawnError): number {
  return errno === 'ENOENT' || errno === 'ENOTDIR' ? 127 : 126;
}

/** An init that stays in a directory keeps its file system from being unmounted. */
function leaveWorkingDirectory(): void {
  try {
    process.chdir('/');
  } catch {
    // Not allowed to enter /: then it stays where it is.
  }
}

function ownEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) environment[name] = value;
  return environment;
}

function described(exit: Exit): string {
  return 'code' in exit ? `exit code ${exit.code}` : `killed by ${exit.signal}`;
}

function complain(text: string): void {
  try {
    writeSync(2, `bottled exec: ${text}\n`);
  } catch {
    // Nobody reads stderr any more; the child matters more.
  }
}
