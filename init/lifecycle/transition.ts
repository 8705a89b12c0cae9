import type { Bundle } from '../bundle/schema.ts';
import { onCommand } from './command.ts';
import { dependenciesOf } from './dependencies.ts';
import type { Effect } from './effect.ts';
import { fail, onExited, onGone, onSpawnFailed } from './end.ts';
import type { Event } from './event.ts';
import { heldByDependents, stopLeaving } from './leaving.ts';
import { newDaemon } from './new-daemon.ts';
import { onReload } from './reload.ts';
import { beginShutdown, endWhenOver, leaveWhenDone, onEndSignal, onShutdownDue } from './shutdown.ts';
import { onSignal } from './signal.ts';
import { onProbeDue, onProbed, onReady, onSpawned, onStartingDue, startDaemon } from './start.ts';
import type { Daemon, State } from './state.ts';
import { closeStep, enter, openStep, type Step } from './step.ts';
import { onHooksEnded, onStoppingDue } from './stop.ts';

/** The policy's first state: every daemon waits for `begin`. `seed` makes the jitter repeatable. */
export function createState(bundle: Bundle, seed: number): State {
  const daemons = new Map(Object.entries(bundle.daemons).map(([name, spec]) => [name, newDaemon(spec, 0)]));
  return { bundle, daemons, removed: new Map(), shutdown: undefined, exited: false, random: seed | 0, begun: false };
}

/**
 * The whole policy of the init: what follows from an event. Pure: the state given is not changed, and nothing but its
 * arguments decides the result. After `exit` nothing follows from anything.
 */
export function transition(state: State, event: Event): { readonly state: State; readonly effects: readonly Effect[] } {
  if (state.exited) return { state, effects: [] };
  const step = openStep(state, event.at);
  handle(step, event);
  settle(step);
  // What a tick begins may be due at once: a stop without a grace.
  while (event.type === 'tick' && nextDeadline(step) <= event.at) {
    onTick(step);
    settle(step);
  }
  return { state: closeStep(step), effects: step.effects };
}

function handle(step: Step, event: Event): void {
  switch (event.type) {
    case 'begin':
      step.begun = true;
      return;
    case 'tick':
      onTick(step);
      return;
    case 'command':
      onCommand(step, event.daemon, event.command, event);
      return;
    case 'reload':
      onReload(step, event.bundle, event);
      return;
    case 'signal':
      if (event.signal === 'SIGTERM' || event.signal === 'SIGINT' || event.signal === 'SIGQUIT') {
        onEndSignal(step, event.signal);
      } else onSignal(step, event.signal);
      return;
    case 'fault':
      beginShutdown(step, event.detail, { fault: true });
      return;
    default:
      handleProcess(step, event);
  }
}

type ProcessEvent = Extract<Event, { readonly incarnation: number }>;

/** Events about one incarnation of one daemon; those about an earlier one are out of date. */
function handleProcess(step: Step, event: ProcessEvent): void {
  const daemon = step.daemons.get(event.daemon);
  if (daemon === undefined || daemon.incarnation !== event.incarnation) return;
  switch (event.type) {
    case 'spawned':
      onSpawned(step, event, daemon);
      return;
    case 'spawn-failed':
      onSpawnFailed(step, event, daemon);
      return;
    case 'exited':
      onExited(step, event, daemon);
      return;
    case 'gone':
      onGone(step, event, daemon);
      return;
    case 'ready':
      onReady(step, event, daemon);
      return;
    case 'probed':
      onProbed(step, event, daemon);
      return;
    case 'hooks-ended':
      onHooksEnded(step, event, daemon);
      return;
  }
}

/** Does what is due. */
function onTick(step: Step): void {
  for (const name of [...step.daemons.keys()]) {
    withDaemon(step, name, ({ state }) => {
      if (state.status === 'starting') onStartingDue(step, name, state);
      else if (state.status === 'stopping') onStoppingDue(step, name, state);
      else if (state.status === 'backoff' && state.retryAt <= step.at)
        enter(step, name, { status: 'pending' }, 'its wait is over');
    });
    withDaemon(step, name, (daemon) => onProbeDue(step, name, daemon));
  }
  onShutdownDue(step);
}

function withDaemon(step: Step, name: string, act: (daemon: Daemon) => void): void {
  const daemon = step.daemons.get(name);
  if (daemon !== undefined) act(daemon);
}

/** Draws the consequences until nothing changes any more: starts, stops, failures by dependency, the end of the bundle. */
function settle(step: Step): void {
  if (!step.begun && step.shutdown === undefined) return;
  while (advance(step));
  endWhenOver(step);
  if (step.shutdown !== undefined) advance(step);
  leaveWhenDone(step);
}

/** One look at every daemon; true where something moved. */
function advance(step: Step): boolean {
  const held = heldByDependents(step);
  let moved = false;
  for (const [name, daemon] of [...step.daemons]) {
    if (daemon.state.status === 'pending') moved = startOrFail(step, name, daemon) || moved;
    else if (!held.has(name)) moved = stopLeaving(step, name, daemon) || moved;
  }
  return moved;
}

function startOrFail(step: Step, name: string, daemon: Daemon): boolean {
  if (step.shutdown !== undefined) return false;
  const standing = dependenciesOf(step.daemons, daemon);
  if (standing === 'waits') return false;
  if (standing === 'holds') startDaemon(step, name, daemon);
  else fail(step, name, { kind: 'dependency-failed', detail: standing.never }, 'it cannot start');
  return true;
}

/** The time at which a `tick` is due, in monotonic ms; Infinity where there is nothing to wait for. */
export function nextDeadline(state: Pick<State, 'daemons' | 'shutdown' | 'exited'>): number {
  if (state.exited) return Number.POSITIVE_INFINITY;
  let next = state.shutdown === undefined ? Number.POSITIVE_INFINITY : shutdownDeadline(state.shutdown);
  for (const { state: daemon } of state.daemons.values()) next = Math.min(next, deadlineOf(daemon));
  return next;
}

function shutdownDeadline({ killed, killAt, leaveAt }: NonNullable<State['shutdown']>): number {
  return killed ? leaveAt : Math.min(killAt, leaveAt);
}

function deadlineOf(state: Daemon['state']): number {
  switch (state.status) {
    case 'starting':
      return Math.min(
        state.timeoutAt,
        state.spawned ? state.readyAt : Number.POSITIVE_INFINITY,
        state.watch?.probeAt ?? Number.POSITIVE_INFINITY,
      );
    case 'running':
      return state.watch?.probeAt ?? Number.POSITIVE_INFINITY;
    case 'stopping':
      return state.killAt;
    case 'backoff':
      return state.retryAt;
    default:
      return Number.POSITIVE_INFINITY;
  }
}
