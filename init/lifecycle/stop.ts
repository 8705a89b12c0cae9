import { type Cause, describeCause } from './cause.ts';
import type { EventOf } from './event.ts';
import type { Daemon, DaemonState } from './state.ts';
import { amend, enter, isAlive, isKilled, reportIncident, type Step, update } from './step.ts';

type Stopping = Extract<DaemonState, { status: 'stopping' }>;

/** SIGKILL is sent again this often while something is left: processes that fork as they die may be missed once. */
const KILL_AGAIN_MS = 1_000;

/** Stops a living daemon: its `pre_stop` hooks, its stop signal, and SIGKILL after its grace. `cause`: it is stopped for a failure. */
export function beginStop(step: Step, name: string, why: string, cause?: Cause): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined || !isAlive(daemon.state) || daemon.state.status === 'stopping') return;
  const { spec, incarnation } = daemon;
  const runs = daemon.state.status === 'running' || (daemon.state.status === 'starting' && daemon.state.spawned);
  const hooks = spec.pre_stop.length > 0 && runs;
  enter(step, name, { ...stopping(step, daemon), phase: hooks ? 'pre_stop' : 'signalled', cause }, why, cause);
  if (hooks) step.effects.push({ type: 'run-hooks', daemon: name, incarnation, stage: 'pre_stop', spec });
  else step.effects.push({ type: 'kill', daemon: name, incarnation, signal: spec.stop_signal, to: 'all' });
}

/** The first process is gone but others of the daemon live: they get the stop signal, and the same grace. */
export function stopRemains(step: Step, name: string, ending: Stopping['ending'], why: string): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined) return;
  const { state, spec, incarnation } = daemon;
  if (state.status === 'stopping' && state.phase !== 'pre_stop') {
    amend(step, name, { ...state, ending });
    return;
  }
  if (state.status === 'stopping') amend(step, name, { ...state, phase: 'signalled', ending });
  else enter(step, name, { ...stopping(step, daemon), ending, cause: ending?.cause }, why, ending?.cause);
  step.effects.push({ type: 'kill', daemon: name, incarnation, signal: spec.stop_signal, to: 'all' });
}

/** The state of a daemon whose stop signal is sent now. */
function stopping({ at, shutdown }: Step, { spec }: Daemon): Stopping {
  const killAt = Math.min(at + spec.stop_grace_period, shutdown?.killAt ?? Number.POSITIVE_INFINITY);
  return { status: 'stopping', phase: 'signalled', killAt, ending: undefined, cause: undefined };
}

/** The hooks have ended: the stop signal follows, unless SIGKILL came first. */
export function onHooksEnded(step: Step, event: EventOf<'hooks-ended'>, daemon: Daemon): void {
  const { daemon: name, incarnation, stage, failure } = event;
  if (failure !== undefined) {
    reportIncident(step, name, { kind: 'exit-code', detail: `${stage} hook: ${failure}` });
  }
  const { state, spec } = daemon;
  if (stage !== 'pre_stop' || state.status !== 'stopping' || state.phase !== 'pre_stop') return;
  amend(step, name, { ...state, phase: 'signalled' });
  step.effects.push({ type: 'kill', daemon: name, incarnation, signal: spec.stop_signal, to: 'all' });
}

/** SIGKILL for a stopping daemon whose time is up. */
export function onStoppingDue(step: Step, name: string, state: Stopping): void {
  if (state.killAt <= step.at) killNow(step, name, 'its grace is over');
}

/** SIGKILL for everything of a daemon, at once. */
export function killNow(step: Step, name: string, why: string): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined || !isAlive(daemon.state)) return;
  const { incarnation } = daemon;
  const before = daemon.state;
  if (!isKilled(before)) {
    const left = before.status === 'stopping' && before.ending !== undefined ? 'processes that it left behind' : 'it';
    const cause = { kind: 'killed-after-grace', detail: `${why}: ${left} had to be killed` } as const;
    update(step, name, { cause });
    reportIncident(step, name, cause);
    if (before.status !== 'stopping') enter(step, name, stopping(step, daemon), describeCause(cause), cause);
  }
  const { state } = step.daemons.get(name) ?? daemon;
  if (state.status !== 'stopping') return;
  amend(step, name, { ...state, phase: 'killed', killAt: step.at + KILL_AGAIN_MS });
  step.effects.push({ type: 'kill', daemon: name, incarnation, signal: 'SIGKILL', to: 'all' });
}
