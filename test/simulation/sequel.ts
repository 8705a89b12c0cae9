import type { DaemonSpec } from '../../init/bundle/schema.ts';
import type { Exit } from '../../init/lifecycle/event.ts';
import { signalNumber } from '../../init/posix/signal-names.ts';
import type { Facts, LastEnd, Life, Sequel, Step } from './facts.ts';

/** Errors of execve(2) and posix_spawn(3) that no retry mends: not found, not executable, wrong architecture. */
const PERMANENT_ERRNO = ['ENOENT', 'EACCES', 'ENOEXEC'];
const PERMANENT_LINE = /GLIBC_[\d.]+['"]? not found|error while loading shared libraries/;

/** What must follow now that the last process of an incarnation has ended, judged before the policy's answer is looked at. */
export function sequelOf(facts: Facts, { event }: Step): Sequel | undefined {
  if (event.type !== 'exited' && event.type !== 'gone' && event.type !== 'spawn-failed') return undefined;
  if (event.type === 'exited' && event.remains) return undefined;
  const life = facts.lives.get(event.daemon);
  if (life === undefined || life.incarnation !== event.incarnation || life.end === undefined) return undefined;
  const daemon = life.name;
  if (facts.shutdown !== undefined) {
    return life.removed
      ? { daemon, kind: 'any' }
      : {
          daemon,
          kind: 'state',
          allowed: ['stopped', 'completed', 'failed'],
          because: 'nothing waits or starts in a shutdown',
        };
  }
  if (life.removed) return { daemon, kind: 'leave', because: 'a removed daemon leaves the bundle when it is gone' };
  if (life.loose) return { daemon, kind: 'any' };
  if (life.order === 'down')
    return { daemon, kind: 'state', allowed: ['stopped'], because: "an operator's stop ends in `stopped`" };
  if (life.order === 'again') return { daemon, kind: 'start' };
  if (life.mayFollow) return { daemon, kind: 'any' };
  return ownEnd(life, life.end);
}

function ownEnd(life: Life, end: LastEnd): Sequel {
  const daemon = life.name;
  const { restart } = life.running;
  const good = !end.blamed && isGoodExit(end.exit, life.running);
  if (good && (restart === 'no' || restart.startsWith('on-failure'))) {
    return {
      daemon,
      kind: 'state',
      allowed: ['completed'],
      because: 'who exited well and is not to be restarted is completed',
    };
  }
  if (!good && life.program === 'either' && cannotRun(end) && life.running.fallback_command.length > 0) {
    return { daemon, kind: 'any' };
  }
  if (!good && life.program === 'command' && cannotRun(end) && life.running.fallback_command.length > 0) {
    return { daemon, kind: 'fallback' };
  }
  if (!good && isPermanent(end, life.running)) {
    return { daemon, kind: 'state', allowed: ['failed'], because: 'a cause that a retry cannot mend fails at once' };
  }
  if (restart === 'no') {
    return { daemon, kind: 'state', allowed: ['failed'], because: 'restart: no — a bad end is final' };
  }
  const rested = life.readyFor >= life.running.backoff.reset_after;
  const attempt = (rested ? 0 : life.attempts) + 1;
  if (attempt > limitOf(life.running)) {
    return { daemon, kind: 'state', allowed: ['failed'], because: 'after max_attempts restarts in a row it is failed' };
  }
  return { daemon, kind: 'restart', attempt };
}

/** DESIGN 5, Exit: success = code in `success_exit_codes`. */
export function isGoodExit(exit: Exit | undefined, { success_exit_codes }: DaemonSpec): boolean {
  return exit !== undefined && 'code' in exit && success_exit_codes.includes(exit.code);
}

/** DESIGN 5, Exit: "while stopping also the stop signal and 128+it". */
export function isGoodStop(exit: Exit | undefined, spec: DaemonSpec): boolean {
  if (exit === undefined) return false;
  if (isGoodExit(exit, spec)) return true;
  return 'code' in exit ? exit.code === 128 + signalNumber(spec.stop_signal) : exit.signal === spec.stop_signal;
}

function isPermanent(end: LastEnd, spec: DaemonSpec): boolean {
  const { exit } = end;
  return (exit !== undefined && 'code' in exit && spec.permanent_exit_codes.includes(exit.code)) || cannotRun(end);
}

/** Its program can never run here. */
function cannotRun({ spawnError, lastLines, wasReady }: LastEnd): boolean {
  if (spawnError !== undefined) return PERMANENT_ERRNO.includes(spawnError.errno);
  return !wasReady && lastLines.some((line) => PERMANENT_LINE.test(line));
}

/** Docker's `on-failure:n` is the bound of restarts where it is written, else `backoff.max_attempts`. */
function limitOf({ restart, backoff }: DaemonSpec): number {
  const own = /^on-failure:(\d+)$/.exec(restart)?.[1];
  if (own !== undefined) return Number(own);
  return backoff.max_attempts === 'unlimited' ? Number.POSITIVE_INFINITY : backoff.max_attempts;
}
