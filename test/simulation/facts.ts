import type { Bundle, DaemonSpec, Dependency } from '../../init/bundle/schema.ts';
import type { Effect } from '../../init/lifecycle/effect.ts';
import type { Event, Exit, SpawnError } from '../../init/lifecycle/event.ts';
import type { State, Status } from '../../init/lifecycle/state.ts';

/** One turn of the policy. */
export interface Step {
  readonly event: Event;
  readonly before: State;
  readonly after: State;
  readonly effects: readonly Effect[];
  /** When the policy wants its next tick after this. */
  readonly deadline: number;
}

/** How the latest incarnation of a daemon ended, as it was reported. */
export interface LastEnd {
  readonly at: number;
  /** undefined: it could not be spawned. */
  readonly exit: Exit | undefined;
  readonly spawnError: SpawnError | undefined;
  readonly lastLines: readonly string[];
  /** It had been ready: the loader, whose complaints are final, had long done its work. */
  readonly wasReady: boolean;
  /** What the policy had done to it by then. */
  readonly stopAsked: boolean;
  readonly sigkilled: boolean;
  /** It was being stopped because it was unhealthy or not ready in time. */
  readonly blamed: boolean;
  readonly ordered: boolean;
  readonly duringShutdown: boolean;
}

/**
 * What is known of one daemon from the events that the policy was given and the effects that it asked for, and never from the
 * policy's own state.
 */
export interface Life {
  readonly name: string;
  /** As the newest bundle has it. */
  spec: DaemonSpec;
  removed: boolean;
  /** As last announced by `changed`. */
  status: Status;
  ready: boolean;

  incarnation: number;
  /** The specification that the latest incarnation was spawned with. */
  running: DaemonSpec;
  group: 'none' | 'leader' | 'others';
  /** When the last of the latest incarnation was gone. */
  goneAt: number;
  spawnAt: number;
  /** Infinity: not yet reported. */
  spawnedAt: number;
  end: LastEnd | undefined;

  /** An operator stopped it and nobody has asked for it since. */
  heldDown: boolean;
  /** Its last end may count no more: an operator stopped it since, or it failed only because a dependency had. */
  pardoned: boolean;
  /** What this incarnation's stop was ordered for; `again`: to start anew. */
  order: 'none' | 'down' | 'again';
  /** Orders came in such a way that DESIGN does not say what follows. */
  loose: boolean;
  /** A dependency was restarted whose restart it has to follow, or may follow in a chain (Compose: depends_on.restart). */
  mayFollow: boolean;
  stoppingSince: number;
  blamed: 'unhealthy' | 'start-timeout' | undefined;
  stopSignalAt: number;
  sigkillAt: number;
  preStop: 'none' | 'running' | 'ended';

  /** What the next start is to run, and then what the latest incarnation ran; `either` where DESIGN does not say. */
  program: 'command' | 'fallback' | 'either';

  /** Restarts in a row (DESIGN 5). */
  attempts: number;
  readySince: number;
  /** The longest that this incarnation had been ready without a break; -1: never. */
  readyFor: number;
  /** `ready` was heard from this incarnation. */
  announced: boolean;
  probe: {
    outstanding: boolean;
    askedAt: number;
    answeredAt: number;
    passed: boolean;
    /** The last answer was a pass. */
    passing: boolean;
    /** Failures in a row that must count, and that may count: a probe can straddle the end of the start period. */
    certain: number;
    possible: number;
  };
}

/** What must follow in this step, because nothing of a daemon's incarnation is left (DESIGN 5). */
export type Sequel = { readonly daemon: string } & (
  | { readonly kind: 'any' }
  /** It is in one of these states. */
  | { readonly kind: 'state'; readonly allowed: readonly Status[]; readonly because: string }
  /** It starts anew because somebody asked for it. */
  | { readonly kind: 'start' }
  /** Its fallback_command starts in place of a command that cannot run here. */
  | { readonly kind: 'fallback' }
  /** Its restart policy starts it, for the nth time in a row. */
  | { readonly kind: 'restart'; readonly attempt: number }
  /** It is no daemon of the bundle any more. */
  | { readonly kind: 'leave'; readonly because: string }
);

/** What is known of the whole bundle, from events and effects only. */
export interface Facts {
  bundle: Bundle;
  readonly lives: Map<string, Life>;
  now: number;
  shutdown:
    | { since: number; bySignal: boolean; signals: number; killedAt: number; fault: boolean; readonly grace: number }
    | undefined;
  exitedAt: number;
  /** Incarnations ever spawned, as `name#number`. */
  readonly spawned: Set<string>;
  sequel: Sequel | undefined;
  /** Dependents that have to start anew with their dependency. */
  readonly mustFollow: Map<string, { readonly incarnation: number; readonly leader: string; readonly after: number }>;
}

/** A time that does not come, or has not come yet. */
export const NEVER = Number.POSITIVE_INFINITY;

/** What is known before the first event. */
export function createFacts(bundle: Bundle): Facts {
  const facts: Facts = {
    bundle,
    lives: new Map(),
    now: 0,
    shutdown: undefined,
    exitedAt: NEVER,
    spawned: new Set(),
    mustFollow: new Map(),
    sequel: undefined,
  };
  for (const [name, spec] of Object.entries(bundle.daemons)) facts.lives.set(name, newLife(name, spec));
  return facts;
}

/** A daemon that has never been started. */
export function newLife(name: string, spec: DaemonSpec): Life {
  return {
    name,
    spec,
    removed: false,
    status: 'pending',
    ready: false,
    incarnation: 0,
    running: spec,
    group: 'none',
    goneAt: 0,
    spawnAt: NEVER,
    spawnedAt: NEVER,
    end: undefined,
    heldDown: false,
    pardoned: false,
    order: 'none',
    loose: false,
    mayFollow: false,
    stoppingSince: NEVER,
    blamed: undefined,
    stopSignalAt: NEVER,
    sigkillAt: NEVER,
    preStop: 'none',
    program: 'command',
    attempts: 0,
    readySince: NEVER,
    readyFor: -1,
    announced: false,
    probe: freshProbe(),
  };
}

/** What is known of a check that has not been asked for yet. */
export function freshProbe(): Life['probe'] {
  return {
    outstanding: false,
    askedAt: NEVER,
    answeredAt: NEVER,
    passed: false,
    passing: false,
    certain: 0,
    possible: 0,
  };
}

/** The check that watches a daemon; undefined where it has none or it is disabled (Compose: `disable`, `["NONE"]`). */
export function checkOf(spec: DaemonSpec): NonNullable<DaemonSpec['healthcheck']> | undefined {
  const check = spec.healthcheck;
  return check === undefined || check.disable || check.test?.[0] === 'NONE' ? undefined : check;
}

/** It has been started and nobody has begun to stop it. */
export function isUp(life: Life): boolean {
  return life.status === 'starting' || life.status === 'running';
}

export type Holding = 'yes' | 'no' | 'maybe' | 'never';

/**
 * Whether a dependency holds (DESIGN 5, Start; Compose's three conditions). `never`: it cannot hold any more unless somebody
 * starts the dependency anew. `maybe`: DESIGN does not say (a daemon between two tries was started).
 */
export function holding(link: Dependency, target: Life | undefined): Holding {
  if (target === undefined || target.removed) return link.required ? 'maybe' : 'yes';
  // About to be stopped: it holds still, but a start now would only be a start for nothing.
  if ((target.order !== 'none' || target.mayFollow) && isUp(target)) return 'maybe';
  const plain = conditionOf(link.condition, target);
  return plain === 'never' && !link.required ? 'yes' : plain;
}

function conditionOf(condition: Dependency['condition'], { status, ready, spawnedAt, group }: Life): Holding {
  if (status === 'failed') return 'never';
  switch (condition) {
    case 'service_started':
      if (status === 'completed') return 'yes';
      if (status === 'starting' || status === 'running') return spawnedAt < NEVER && group === 'leader' ? 'yes' : 'no';
      return status === 'stopping' || status === 'backoff' ? 'maybe' : 'no';
    case 'service_healthy':
      if (status === 'completed') return 'never';
      return status === 'running' && ready ? 'yes' : 'no';
    case 'service_completed_successfully':
      return status === 'completed' ? 'yes' : 'no';
  }
}
