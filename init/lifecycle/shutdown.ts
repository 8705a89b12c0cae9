import type { SignalName } from '../posix/signal-names.ts';
import { decideExitCode } from './exit-code.ts';
import { amend, enter, isAlive, isAtRest, isKilled, type Step, update } from './step.ts';
import { killNow } from './stop.ts';

/** After SIGKILL for all, the init waits this long for processes that the kernel cannot end, then leaves. */
const LEAVE_AFTER_KILL_MS = 2_000;

/** Begins the end of the bundle. Every daemon is to go down; what does not run yet never will. `signal`: it asked for it. */
export function beginShutdown(
  step: Step,
  why: string,
  { fault = false, signal }: { readonly fault?: boolean; readonly signal?: SignalName } = {},
): void {
  if (step.shutdown !== undefined) {
    if (fault) step.shutdown = { ...step.shutdown, fault };
    return;
  }
  const killAt = step.at + step.bundle.stop_grace_period;
  step.shutdown = {
    why,
    since: step.at,
    killAt,
    leaveAt: killAt + LEAVE_AFTER_KILL_MS,
    killed: false,
    signals: 0,
    fault,
  };
  step.effects.push({ type: 'ending', why, ...(signal !== undefined && { signal }) });
  for (const [name, { state }] of [...step.daemons]) {
    if (isAtRest(state)) continue;
    update(step, name, { goal: 'down' });
    if (state.status === 'pending' || state.status === 'backoff') {
      enter(step, name, { status: 'stopped' }, `not started any more: ${why}`);
    } else if (state.status === 'stopping' && state.killAt > killAt) {
      amend(step, name, { ...state, killAt });
    }
  }
}

/** SIGTERM, SIGINT or SIGQUIT: the first begins the end, a second SIGTERM or SIGINT kills at once. */
export function onEndSignal(step: Step, signal: SignalName): void {
  const earlier = step.shutdown?.signals ?? 0;
  beginShutdown(step, `${signal} received`, { signal });
  if (step.shutdown !== undefined) step.shutdown = { ...step.shutdown, signals: earlier + 1 };
  if (earlier > 0 && signal !== 'SIGQUIT') killAll(step, `a second ${signal} came`);
}

/** Deadlines of the shutdown that are due. */
export function onShutdownDue(step: Step): void {
  const { shutdown } = step;
  if (shutdown === undefined) return;
  if (!shutdown.killed && shutdown.killAt <= step.at) killAll(step, 'the time to stop the bundle is over');
  else if (shutdown.leaveAt <= step.at) leave(step);
}

/** Leaves as soon as nothing is left. */
export function leaveWhenDone(step: Step): void {
  if (step.shutdown === undefined || step.exited) return;
  for (const { state } of step.daemons.values()) if (!isAtRest(state)) return;
  leave(step);
}

/** (b) and (c) of DESIGN 6: an essential daemon ended for good, or all have ended by themselves. */
export function endWhenOver(step: Step): void {
  if (step.shutdown !== undefined) return;
  let over = true;
  for (const [name, { spec, state }] of step.daemons) {
    const ended = state.status === 'completed' || state.status === 'failed';
    if (ended && spec.essential) {
      beginShutdown(step, `essential daemon ${name} has ${state.status}`);
      return;
    }
    if (!ended) over = false;
  }
  if (over) beginShutdown(step, 'every daemon has ended');
}

function killAll(step: Step, why: string): void {
  if (step.shutdown === undefined) return;
  step.shutdown = {
    ...step.shutdown,
    killed: true,
    leaveAt: step.shutdown.killed ? step.shutdown.leaveAt : step.at + LEAVE_AFTER_KILL_MS,
  };
  for (const [name, { state }] of [...step.daemons]) {
    if (isAlive(state) && !isKilled(state)) killNow(step, name, why);
  }
}

function leave(step: Step): void {
  if (step.exited) return;
  step.exited = true;
  step.effects.push({ type: 'kill-everything' }, { type: 'exit', ...decideExitCode(step) });
}
