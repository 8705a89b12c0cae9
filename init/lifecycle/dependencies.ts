import type { Dependency } from '../bundle/schema.ts';
import type { Daemon } from './state.ts';
import { isReady } from './step.ts';

/** Whether a dependency lets its dependent start: now, perhaps later, or never (and then why). */
export type Standing = 'holds' | 'waits' | { readonly never: string };

type Daemons = ReadonlyMap<string, Daemon>;

/** How all dependencies of a daemon stand together: one that never holds weighs most, then one to wait for. */
export function dependenciesOf(daemons: Daemons, daemon: Daemon): Standing {
  let result: Standing = leavingBefore(daemons, daemon).length === 0 ? 'holds' : 'waits';
  for (const [name, dependency] of Object.entries(daemon.spec.depends_on)) {
    const standing = standingOf(daemons.get(name), name, dependency);
    if (typeof standing === 'object') return standing;
    if (standing === 'waits') result = 'waits';
  }
  return result;
}

/** The names of the daemons that a pending one still waits for. */
export function unmetDependencies(daemons: Daemons, daemon: Daemon): readonly string[] {
  const unmet = Object.entries(daemon.spec.depends_on)
    .filter(([name, dependency]) => standingOf(daemons.get(name), name, dependency) !== 'holds')
    .map(([name]) => name);
  return [...unmet, ...leavingBefore(daemons, daemon)];
}

/**
 * The daemons that a reload has taken out of the bundle and that still live: a new one waits for them, for it may be one of
 * them under another name, and want its port.
 */
function leavingBefore(daemons: Daemons, { outcome, lastExit }: Daemon): readonly string[] {
  const isNew = outcome === undefined && lastExit === undefined;
  if (!isNew) return [];
  return [...daemons].filter(([, { goal }]) => goal === 'remove').map(([name]) => name);
}

/** How one dependency stands (Compose Specification, `depends_on`). One that is not required never stands in the way for good. */
function standingOf(on: Daemon | undefined, name: string, { condition, required }: Dependency): Standing {
  const standing = on === undefined ? { never: `${name} is not in the bundle` } : judge(on, name, condition);
  return typeof standing === 'object' && !required ? 'holds' : standing;
}

function judge({ state, goal }: Daemon, name: string, condition: Dependency['condition']): Standing {
  if (state.status === 'failed') return { never: `${name} failed (${state.cause.kind}: ${state.cause.detail})` };
  if (goal !== 'up') return 'waits';
  if (state.status === 'completed') {
    return condition === 'service_healthy' ? { never: `${name} has completed and will not be ready` } : 'holds';
  }
  switch (condition) {
    case 'service_started':
      return state.status === 'running' || (state.status === 'starting' && state.spawned) ? 'holds' : 'waits';
    case 'service_healthy':
      return isReady(state) ? 'holds' : 'waits';
    case 'service_completed_successfully':
      return 'waits';
  }
}
