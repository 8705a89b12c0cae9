import type { Daemon, Goal } from './state.ts';
import { isAlive, type Step } from './step.ts';
import { beginStop } from './stop.ts';

/** The daemons that others, which are to go as well and still live, depend on: they go after those. */
export function heldByDependents(step: Step): ReadonlySet<string> {
  const held = new Set<string>();
  for (const { spec, state, goal } of step.daemons.values()) {
    if (goal === 'up' || !isAlive(state)) continue;
    for (const name of Object.keys(spec.depends_on)) held.add(name);
  }
  return held;
}

/** Stops a living daemon that is to go; true where that was done. */
export function stopLeaving(step: Step, name: string, { state, goal }: Daemon): boolean {
  if (goal === 'up' || (state.status !== 'starting' && state.status !== 'running')) return false;
  beginStop(step, name, reason(step, goal));
  return true;
}

function reason(step: Step, goal: Exclude<Goal, 'up'>): string {
  if (step.shutdown !== undefined) return `the bundle ends: ${step.shutdown.why}`;
  switch (goal) {
    case 'restart':
      return 'restart asked';
    case 'remove':
      return 'no longer in the bundle file';
    case 'down':
      return 'stopped by the operator';
  }
}
