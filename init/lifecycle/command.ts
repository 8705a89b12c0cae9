import type { Caller, Command } from './event.ts';
import type { Daemon, DaemonState } from './state.ts';
import { enter, isAlive, type Step, update } from './step.ts';

/** What became of a command: carried out (or already so), or refused. */
interface Verdict {
  readonly accepted: boolean;
  readonly text: string;
}

/** An operator's word about one daemon. Commands for one daemon coalesce: asking twice is asking once. */
export function onCommand(step: Step, name: string, command: Command, caller: Caller): void {
  const daemon = step.daemons.get(name);
  const verdict = daemon === undefined ? refuse(`there is no daemon ${name}`) : judge(step, name, daemon, command);
  step.effects.push({ type: 'answer', daemon: name, command: nameOf(command), ...callerOf(caller), ...verdict });
}

/** What was asked, as the history and the audit trail name it. */
function nameOf(command: Command): string {
  return command.do === 'signal' ? `signal ${command.signal}` : command.do;
}

/** Of what carries a command, only whom it came from. */
export function callerOf({ plane, who }: Caller): Caller {
  return who === undefined ? { plane } : { plane, who };
}

function judge(step: Step, name: string, daemon: Daemon, command: Command): Verdict {
  if (step.shutdown !== undefined) return refuse(`the bundle is ending (${step.shutdown.why})`);
  if (daemon.goal === 'remove') return refuse(`${name} is being removed from the bundle`);
  switch (command.do) {
    case 'start':
      return start(step, name, daemon);
    case 'stop':
      return stop(step, name, daemon);
    case 'restart':
      return restart(step, name, daemon);
    case 'signal':
      if (!hasLeader(daemon.state)) return refuse(`${name} is not running (${daemon.state.status})`);
      step.effects.push({
        type: 'kill',
        daemon: name,
        incarnation: daemon.incarnation,
        signal: command.signal,
        to: 'leader',
      });
      return accept(`${command.signal} sent to ${name}`);
  }
}

/** The process that a signal would go to may be alive. */
function hasLeader(state: DaemonState): boolean {
  return isAlive(state) && !(state.status === 'stopping' && state.ending !== undefined);
}

function start(step: Step, name: string, daemon: Daemon): Verdict {
  const { state, goal } = daemon;
  switch (state.status) {
    case 'starting':
    case 'running':
      if (goal === 'up' || goal === 'restart') return accept(`${name} is running already`);
      update(step, name, { goal: 'restart' });
      return accept(`${name} starts again when it has stopped`);
    case 'stopping':
      if (goal === 'down') update(step, name, { goal: 'restart' });
      return accept(`${name} starts again when it has stopped`);
    case 'pending':
      return accept(`${name} waits for its dependencies already`);
    case 'backoff':
    case 'stopped':
    case 'completed':
    case 'failed':
      return bringUp(step, name);
  }
}

function stop(step: Step, name: string, { state, goal }: Daemon): Verdict {
  switch (state.status) {
    case 'starting':
    case 'running':
      update(step, name, { goal: 'down', attempts: 0 });
      return accept(`${name} stops`);
    case 'stopping':
      update(step, name, { goal: 'down', attempts: 0 });
      return accept(goal === 'down' ? `${name} is stopping already` : `${name} stops and stays stopped`);
    case 'pending':
    case 'backoff':
      update(step, name, { goal: 'down', attempts: 0, outcome: undefined });
      enter(step, name, { status: 'stopped' }, 'stopped by the operator');
      return accept(`${name} is stopped`);
    case 'stopped':
      return accept(`${name} is stopped already`);
    case 'completed':
      return accept(`${name} has completed already`);
    case 'failed':
      update(step, name, { goal: 'down', attempts: 0 });
      enter(step, name, { status: 'stopped' }, 'stopped by the operator; it had failed');
      return accept(`${name} is stopped; it had failed`);
  }
}

function restart(step: Step, name: string, daemon: Daemon): Verdict {
  const verdict = isAlive(daemon.state) ? askRestart(step, name) : start(step, name, daemon);
  restartDependents(step, name);
  return verdict;
}

/** Marks a living daemon to be stopped and started again. */
export function askRestart(step: Step, name: string): Verdict {
  update(step, name, { goal: 'restart' });
  return accept(`${name} restarts`);
}

/** Living daemons whose `depends_on` says `restart: true` of this one are restarted with it (Compose Specification). */
export function restartDependents(step: Step, name: string): void {
  for (const [other, { spec, state, goal }] of [...step.daemons]) {
    if (spec.depends_on[name]?.restart !== true || !isAlive(state) || goal !== 'up') continue;
    askRestart(step, other);
    restartDependents(step, other);
  }
}

/** Brings back a daemon at rest: it starts as soon as its dependencies hold, by its command, with its count of attempts at zero. */
export function bringUp(step: Step, name: string): Verdict {
  update(step, name, { goal: 'up', attempts: 0, fallback: false });
  enter(step, name, { status: 'pending' }, 'started by the operator');
  return accept(`${name} starts as soon as its dependencies hold`);
}

function accept(text: string): Verdict {
  return { accepted: true, text };
}

function refuse(text: string): Verdict {
  return { accepted: false, text };
}
