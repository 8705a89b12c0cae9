import { describeCause } from './cause.ts';
import type { EventOf } from './event.ts';
import { activeHealthcheck, patience, probeInterval, readinessOf, startTimeout } from './readiness.ts';
import type { Daemon, DaemonState, Watch } from './state.ts';
import { amend, enter, reportIncident, type Step, update } from './step.ts';
import { beginStop } from './stop.ts';

/** Starts a pending daemon whose dependencies hold. */
export function startDaemon(step: Step, name: string, daemon: Daemon): void {
  const { spec } = daemon;
  const readiness = readinessOf(spec);
  const check = activeHealthcheck(spec);
  const incarnation = daemon.incarnation + 1;
  update(step, name, { incarnation, outcome: undefined });
  enter(
    step,
    name,
    {
      status: 'starting',
      since: step.at,
      spawned: false,
      timeoutAt: step.at + startTimeout(spec),
      readyAt: typeof readiness === 'object' ? step.at + readiness.after : Number.POSITIVE_INFINITY,
      watch: check && { probeAt: step.at + probeInterval(check, true), failuresInARow: 0 },
    },
    daemon.incarnation === 0 ? 'its dependencies hold' : 'started again',
  );
  step.effects.push({ type: 'spawn', daemon: name, incarnation, spec, fallback: daemon.fallback });
}

/** Its program runs. Where a stop overtook the start, the stop signal found nobody and is sent again. */
export function onSpawned(
  step: Step,
  { daemon: name, incarnation }: EventOf<'spawned'>,
  { state, spec }: Daemon,
): void {
  if (state.status === 'starting' && !state.spawned) {
    amend(step, name, { ...state, spawned: true });
    if (spec.post_start.length > 0) {
      step.effects.push({ type: 'run-hooks', daemon: name, incarnation, stage: 'post_start', spec });
    }
  } else if (state.status === 'stopping' && state.phase !== 'pre_stop') {
    const signal = state.phase === 'killed' ? 'SIGKILL' : spec.stop_signal;
    step.effects.push({ type: 'kill', daemon: name, incarnation, signal, to: 'all' });
  }
}

/** It said by itself that it is ready. */
export function onReady(step: Step, { daemon: name }: EventOf<'ready'>, { state }: Daemon): void {
  if (state.status === 'starting') becomeReady(step, name, state, 'as it said');
}

/** Compose's rule: the first success makes it ready, `retries` failures in a row make it unhealthy. */
export function onProbed(step: Step, { daemon: name, passed, detail }: EventOf<'probed'>, daemon: Daemon): void {
  const { state, spec } = daemon;
  const check = activeHealthcheck(spec);
  if (check === undefined || (state.status !== 'starting' && state.status !== 'running')) return;
  if (state.watch?.probeAt !== Number.POSITIVE_INFINITY) return;

  const patient = state.status === 'starting' && step.at < state.since + patience(check);
  const failuresInARow = passed || patient ? 0 : state.watch.failuresInARow + 1;
  const stillPatient = patient && !passed;
  const watch: Watch = { probeAt: step.at + probeInterval(check, stillPatient), failuresInARow };

  if (passed) onProbePassed(step, name, { ...state, watch }, spec.ready !== undefined);
  else if (failuresInARow < check.retries) amend(step, name, { ...state, watch });
  else onUnhealthy(step, name, { ...state, watch }, detail, daemon);
}

type Up = Extract<DaemonState, { status: 'starting' | 'running' }>;

function onProbePassed(step: Step, name: string, state: Up, readyByItself: boolean): void {
  if (state.status === 'starting' && readyByItself) amend(step, name, state);
  else if (state.status === 'starting') becomeReady(step, name, state, 'its probe passed');
  else if (state.ready) amend(step, name, state);
  else enter(step, name, { ...state, ready: true }, 'ready again, its probe passed');
}

function onUnhealthy(step: Step, name: string, state: Up, detail: string, { spec, goal }: Daemon): void {
  const failures = state.watch?.failuresInARow ?? 0;
  const cause = { kind: 'probe-failed', detail: `${failures} probes in a row failed: ${detail}` } as const;
  if (failures === activeHealthcheck(spec)?.retries) {
    update(step, name, { cause });
    reportIncident(step, name, cause);
  }
  if (spec.on_unhealthy === 'restart' && goal === 'up') beginStop(step, name, `unhealthy: ${cause.detail}`, cause);
  else if (state.status === 'running' && state.ready)
    enter(step, name, { ...state, ready: false }, describeCause(cause), cause);
  else amend(step, name, state);
}

/** Deadlines of a starting daemon that are due. */
export function onStartingDue(step: Step, name: string, state: Extract<DaemonState, { status: 'starting' }>): void {
  if (state.timeoutAt <= step.at && step.daemons.get(name)?.goal !== 'up') {
    amend(step, name, { ...state, timeoutAt: Number.POSITIVE_INFINITY });
  } else if (state.timeoutAt <= step.at) {
    const cause = {
      kind: 'start-timeout',
      detail: `not ready after ${Math.round(state.timeoutAt - state.since)} ms`,
      hint: 'raise start_timeout, or see in its log what it waits for',
    } as const;
    update(step, name, { cause });
    reportIncident(step, name, cause);
    beginStop(step, name, cause.detail, cause);
  } else if (state.readyAt <= step.at && state.spawned) {
    becomeReady(step, name, state, `it has run for ${Math.round(state.readyAt - state.since)} ms`);
  }
}

/** Asks for a probe that is due; the next one is set when it has answered. */
export function onProbeDue(step: Step, name: string, { state, incarnation, spec }: Daemon): void {
  if ((state.status !== 'starting' && state.status !== 'running') || state.watch === undefined) return;
  if (state.watch.probeAt > step.at) return;
  amend(step, name, { ...state, watch: { ...state.watch, probeAt: Number.POSITIVE_INFINITY } });
  step.effects.push({ type: 'probe', daemon: name, incarnation, spec });
}

/** What it says of itself does not outweigh probes that say the opposite. */
function becomeReady(step: Step, name: string, { watch }: Up, why: string): void {
  const spec = step.daemons.get(name)?.spec;
  const retries = spec === undefined ? undefined : activeHealthcheck(spec)?.retries;
  const ready = watch === undefined || retries === undefined || watch.failuresInARow < retries;
  const text = ready ? `ready, ${why}` : 'not ready, its probes fail';
  enter(step, name, { status: 'running', since: step.at, ready, watch }, text);
}
