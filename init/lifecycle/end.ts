import { signalNumber } from '../posix/signal-names.ts';
import { attemptsInARow, maxAttempts, restartDelay } from './backoff.ts';
import { type Cause, describeCause } from './cause.ts';
import { cannotRunHere, describeExit, diagnose, diagnoseSpawn, exitCodeOf, isPermanent } from './diagnosis.ts';
import type { EventOf, Exit } from './event.ts';
import type { Daemon, Ending, Outcome } from './state.ts';
import { draw, drop, enter, isKilled, reportIncident, type Step, update } from './step.ts';
import { stopRemains } from './stop.ts';

/** The program could not be started at all. */
export function onSpawnFailed(step: Step, { daemon: name, error }: EventOf<'spawn-failed'>, daemon: Daemon): void {
  const cause = diagnoseSpawn(error);
  if (daemon.state.status !== 'starting' && daemon.state.status !== 'stopping') return;
  update(step, name, { cause });
  reportIncident(step, name, cause);
  conclude(step, name, { at: step.at, exit: undefined, cause });
}

/** The first process of the daemon has ended; the rest of its group has to be gone before anything else happens. */
export function onExited(step: Step, event: EventOf<'exited'>, daemon: Daemon): void {
  const { daemon: name, exit, remains } = event;
  const ending = judge(event, daemon);
  const before = daemon.state;
  update(step, name, { lastExit: exit });
  if (ending.cause !== undefined && !(before.status === 'stopping' && before.cause === ending.cause)) {
    update(step, name, { cause: ending.cause });
    if (!isKilled(before)) reportIncident(step, name, ending.cause);
  }
  if (remains) stopRemains(step, name, ending, `${describeExit(exit)}; processes that it left behind are stopped`);
  else conclude(step, name, ending);
}

/** The last process of the daemon is gone. */
export function onGone(step: Step, { daemon: name }: EventOf<'gone'>, { state }: Daemon): void {
  if (state.status === 'stopping' && state.ending !== undefined) conclude(step, name, state.ending);
}

/** Whether an end is a good one, and its cause where it is not. */
function judge(event: EventOf<'exited'>, daemon: Daemon): Ending {
  const { at, exit, outOfMemory, lastLines } = event;
  const { state, spec, goal } = daemon;
  const asked = state.status === 'stopping' || goal !== 'up';
  if (state.status === 'stopping' && state.cause !== undefined) return { at, exit, cause: state.cause };
  if (isKilled(state) && isSignal(exit, 'SIGKILL')) {
    return { at, exit, cause: { kind: 'killed-after-grace', detail: 'it had to be killed' } };
  }
  const stopCode = 128 + signalNumber(spec.stop_signal);
  const good =
    ('code' in exit && spec.success_exit_codes.includes(exit.code)) ||
    (asked && (isSignal(exit, spec.stop_signal) || ('code' in exit && exit.code === stopCode)));
  if (good) return { at, exit, cause: undefined };
  return { at, exit, cause: diagnose({ exit, outOfMemory, lastLines, wasReady: state.status !== 'starting' }) };
}

function isSignal(exit: Exit, name: string): boolean {
  return 'signal' in exit && exit.signal === name;
}

/** Nothing of this incarnation is left: decides what comes next. */
function conclude(step: Step, name: string, ending: Ending): void {
  noteEnd(step, name, ending);
  const daemon = step.daemons.get(name);
  if (daemon === undefined) return;
  const ended =
    ending.exit === undefined ? (ending.cause?.detail ?? 'it was never started') : describeExit(ending.exit);

  switch (daemon.goal) {
    case 'down':
      update(step, name, { spec: daemon.next ?? daemon.spec, next: undefined, fallback: false });
      enter(step, name, { status: 'stopped' }, ended, ending.cause);
      return;
    case 'remove':
      enter(step, name, { status: 'stopped' }, `${ended}; removed from the bundle`, ending.cause);
      drop(step, name);
      return;
    case 'restart':
      update(step, name, {
        goal: 'up',
        attempts: 0,
        spec: daemon.next ?? daemon.spec,
        next: undefined,
        fallback: false,
      });
      enter(step, name, { status: 'pending' }, `${ended}; starts again as asked`, ending.cause);
      return;
    case 'up':
      decideRestart(step, name, daemon, ending, ended);
  }
}

/** What counts for the exit code, and how many restarts in a row there have been, now that its time of being ready is over. */
function noteEnd(step: Step, name: string, ending: Ending): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined) return;
  update(step, name, {
    outcome: outcomeOf(ending),
    attempts: attemptsInARow(daemon, step.at),
    readySince: undefined,
  });
}

/** What `restart` and `backoff` say after a daemon ended by itself, or was stopped for a failure. */
function decideRestart(step: Step, name: string, daemon: Daemon, ending: Ending, ended: string): void {
  const { spec, attempts } = daemon;
  const { exit, cause } = ending;
  const onFailureOnly = spec.restart === 'no' || spec.restart.startsWith('on-failure');
  if (cause === undefined && onFailureOnly) {
    enter(step, name, { status: 'completed' }, ended);
  } else if (cause !== undefined && mayFallBack(daemon, cause)) {
    fallBack(step, name, cause, ended);
  } else if (cause !== undefined && isPermanent(cause, exit, spec)) {
    giveUp(step, name, ending, daemon.fallback ? 'its fallback_command cannot run either' : 'a retry cannot mend this');
  } else if (spec.restart === 'no') {
    giveUp(step, name, ending, 'restart is "no"');
  } else if (attempts >= maxAttempts(spec)) {
    giveUp(step, name, ending, `given up after ${attempts} restarts in a row`);
  } else {
    restart(step, name, daemon, ending, ended);
  }
}

/** Its command can never run here, and there is another that has not been tried yet. */
function mayFallBack({ spec, fallback }: Daemon, cause: Cause): boolean {
  return !fallback && spec.fallback_command.length > 0 && cannotRunHere(cause);
}

/** Goes on with `fallback_command`, at once and beside the count of restarts, until somebody asks for the command again. */
function fallBack(step: Step, name: string, cause: Cause, ended: string): void {
  update(step, name, { fallback: true });
  enter(step, name, { status: 'pending' }, `${ended}; its fallback_command starts instead`, cause);
}

function restart(
  step: Step,
  name: string,
  { spec, attempts, restarts }: Daemon,
  { cause }: Ending,
  ended: string,
): void {
  const delay = restartDelay(spec.backoff, attempts, draw(step));
  update(step, name, { attempts: attempts + 1, restarts: restarts + 1 });
  if (delay === 0) enter(step, name, { status: 'pending' }, `${ended}; starts again at once`, cause);
  else
    enter(
      step,
      name,
      { status: 'backoff', retryAt: step.at + delay, cause },
      `${ended}; next try in ${delay} ms`,
      cause,
    );
}

/** A daemon that ended well too often has failed all the same, and counts as one that has. */
function giveUp(step: Step, name: string, { at, exit, cause }: Ending, why: string): void {
  const failure = cause ?? { kind: 'exit-code', detail: exit === undefined ? 'never started' : describeExit(exit) };
  update(step, name, { outcome: outcomeOf({ at, exit, cause: failure }) });
  fail(step, name, failure, why);
}

/** Gives up a daemon. A human should look: unless it merely follows a dependency, the incident has been reported already. */
export function fail(step: Step, name: string, cause: Cause, why: string): void {
  update(step, name, { cause });
  enter(step, name, { status: 'failed', cause }, `${why}: ${describeCause(cause)}`, cause);
}

function outcomeOf(ending: Ending): Outcome {
  return { code: outcomeCode(ending), at: ending.at, why: outcomeText(ending) };
}

/** The daemon's row in the table of exit codes (DESIGN 6). A failure that left with 0 counts 1: it is a failure all the same. */
function outcomeCode({ exit, cause }: Ending): number {
  if (cause === undefined) return 0;
  if (exit === undefined) return cause.kind === 'not-found' ? 127 : 126;
  return exitCodeOf(exit) || 1;
}

function outcomeText({ exit, cause }: Ending): string {
  if (cause === undefined) return 'it ended well';
  const ended = exit === undefined ? 'never started' : describeExit(exit);
  return `${ended} (${cause.kind})`;
}
