import { type Cause, describeCause } from './cause.ts';
import type { Event } from './event.ts';
import type { Daemon, DaemonState } from './state.ts';
import { amend, enter, isAlive, reportIncident, type Step, update } from './step.ts';

type Stopping = Extract<DaemonState, { status: 'stopping' }>;

/** SIGKILL is sent again this often while something is left: processes that fork as they die may be missed once. */
const KILL_AGAIN_MS = 1_000;

/** Stops a living daemon: its `pre_stop` hooks, its stop signal, and SIGKILL after its grace. `cause`: it is stopped for a failure. */
export function beginStop(step: Step, name: string, why: string, cause?: Cause): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined || !isAlive(daemon.state) || daemon.state.status === 'stopping') return;
  const { spec, incarnation } = daemon;
  const killAt = Math.min(step.at + spec.stop_grace_period, step.shutdown?.killAt ?? Number.POSITIVE_INFINITY);
  const runs = daemon.state.status === 'running' || (daemon.state.status === 'starting' && daemon.state.spawned);
  const hooks = spec.pre_stop.length > 0 && runs;
  const phase = hooks ? 'pre_stop' : 'signalled';
  enter(step, name, { status: 'stopping', phase, killAt, ending: undefined, cause }, why, cause);
  if (hooks) step.effects.push({ type: 'run-hooks', daemon: name, incarnation, stage: 'pre_stop', spec });
  else step.effects.push({ type: 'kill', daemon: name, incarnation, signal: spec.stop_signal, to: 'all' });
}

/** The first process is gone but others of the daemon live: they get the stop signal, and the same grace. */
export function stopRemains(step: Step, name: string, ending: Stopping['ending'], why: string): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined) return;
  if (daemon.state.status === 'stopping') {
    amend(step, name, { ...daemon.state, ending });
    return;
  }
  beginStop(step, name, why, ending?.cause);
  const state = step.daemons.get(name)?.state;
  if (state?.status === 'stopping') amend(step, name, { ...state, ending });
}

/** The hooks have ended: the stop signal follows, unless SIGKILL came first. */
export function onHooksEnded(step: Step, event: Extract<Event, { type: 'hooks-ended' }>, daemon: Daemon): void {
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
  const killed = before.status === 'stopping' && before.phase === 'killed';
  if (!killed) {
    const left = before.status === 'stopping' && before.ending !== undefined ? 'processes that it left behind' : 'it';
    const cause = { kind: 'killed-after-grace', detail: `${why}: ${left} had to be killed` } as const;
    update(step, name, { cause });
    reportIncident(step, name, cause);
    if (before.status !== 'stopping') enter(step, name, stoppingNow(step.at), describeCause(cause), cause);
  }
  const { state } = step.daemons.get(name) ?? daemon;
  if (state.status !== 'stopping') return;
  amend(step, name, { ...state, phase: 'killed', killAt: step.at + KILL_AGAIN_MS });
  step.effects.push({ type: 'kill', daemon: name, incarnation, signal: 'SIGKILL', to: 'all' });
}

function stoppingNow(at: number): Stopping {
  return { status: 'stopping', phase: 'killed', killAt: at, ending: undefined, cause: undefined };
}
