import type { Bundle } from '../bundle/schema.ts';
import { attemptsInARow } from './backoff.ts';
import type { Cause } from './cause.ts';
import type { Effect } from './effect.ts';
import type { Daemon, DaemonState, Shutdown, State } from './state.ts';

/**
 * One transition under way: the new state being put together and the effects so far. Daemons are replaced, never
 * changed, so the state that the transition came from stays as it was.
 */
export interface Step {
  readonly at: number;
  bundle: Bundle;
  readonly daemons: Map<string, Daemon>;
  readonly removed: Map<string, number>;
  shutdown: Shutdown | undefined;
  begun: boolean;
  exited: boolean;
  random: number;
  readonly effects: Effect[];
}

export function openStep(state: State, at: number): Step {
  return { ...state, at, daemons: new Map(state.daemons), removed: new Map(state.removed), effects: [] };
}

export function closeStep({ bundle, daemons, removed, shutdown, begun, exited, random }: Step): State {
  return { bundle, daemons, removed, shutdown, begun, exited, random };
}

/** Replaces some of a daemon's fields. */
export function update(step: Step, name: string, fields: Partial<Omit<Daemon, 'state' | 'stateSince'>>): void {
  const daemon = step.daemons.get(name);
  if (daemon !== undefined) step.daemons.set(name, { ...daemon, ...fields });
}

/** Replaces what a daemon's state holds, without a change worth telling. */
export function amend(step: Step, name: string, state: DaemonState): void {
  const daemon = step.daemons.get(name);
  if (daemon !== undefined) step.daemons.set(name, { ...daemon, state });
}

/** Moves a daemon to a new state and tells the world. */
export function enter(step: Step, name: string, state: DaemonState, why: string, cause?: Cause): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined) return;
  const ready = isReady(state);
  step.daemons.set(name, {
    ...daemon,
    state,
    stateSince: step.at,
    attempts: ready ? daemon.attempts : attemptsInARow(daemon, step.at),
    readySince: ready ? (daemon.readySince ?? step.at) : undefined,
    everReady: daemon.everReady || ready,
  });
  step.effects.push({
    type: 'changed',
    daemon: name,
    incarnation: daemon.incarnation,
    from: daemon.state.status,
    to: state.status,
    ready,
    ...(cause && { cause }),
    why,
  });
}

/** Takes a daemon out of the bundle. */
export function drop(step: Step, name: string): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined) return;
  step.removed.set(name, daemon.incarnation);
  step.daemons.delete(name);
}

/** Tells the world of something unexpected. */
export function reportIncident(step: Step, name: string, cause: Cause): void {
  const incarnation = step.daemons.get(name)?.incarnation ?? 0;
  step.effects.push({ type: 'incident', daemon: name, incarnation, cause });
}

/** The daemon does its job now. */
export function isReady(state: DaemonState): boolean {
  return state.status === 'running' && state.ready;
}

/** Some process of the daemon may be alive. */
export function isAlive(state: DaemonState): boolean {
  return state.status === 'starting' || state.status === 'running' || state.status === 'stopping';
}

/** SIGKILL has been sent to all of it. */
export function isKilled(state: DaemonState): boolean {
  return state.status === 'stopping' && state.phase === 'killed';
}

/** The daemon has come to rest and nothing but a command brings it back. */
export function isAtRest(state: DaemonState): boolean {
  return state.status === 'stopped' || state.status === 'completed' || state.status === 'failed';
}

/** A random number in [0, 1), drawn from the state's seed (mulberry32), so that a run can be repeated. */
export function draw(step: Step): number {
  step.random = (step.random + 0x6d2b79f5) | 0;
  let t = Math.imul(step.random ^ (step.random >>> 15), 1 | step.random);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
