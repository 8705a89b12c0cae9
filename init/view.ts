import { formatDuration } from '../config/duration.ts';
import { aggregate, type DaemonHealth, type HealthReport } from '../healthcheck/aggregate.ts';
import { describeCause } from './lifecycle/cause.ts';
import { unmetDependencies } from './lifecycle/dependencies.ts';
import { exitCodeOf } from './lifecycle/diagnosis.ts';
import { activeHealthcheck, readinessOf } from './lifecycle/readiness.ts';
import type { Daemon, State } from './lifecycle/state.ts';
import { isReady } from './lifecycle/step.ts';
import type { BundleStatus, ControlStatus, DaemonStatus } from './status.ts';

/** What the shell knows of a daemon's processes and the policy does not. */
export interface ProcessView {
  readonly pid: number | null;
  readonly cpu: number | null;
  readonly memory_bytes: number | null;
}

/**
 * The bundle as an operator sees it. `now` is the policy's monotonic ms; `processes` tells of a daemon's processes, `remarkOf`
 * what its last passing probe wanted to be known.
 */
export function statusOf(
  state: State,
  now: number,
  init: Omit<BundleStatus['bundle'], 'name' | 'health' | 'ending'>,
  processes: (daemon: string) => ProcessView,
  remarkOf: (daemon: string) => string | null,
  control: ControlStatus,
): BundleStatus {
  return {
    bundle: {
      name: state.bundle.name,
      health: healthOf(state).status,
      ...init,
      ending: state.shutdown?.why ?? null,
    },
    daemons: [...state.daemons].map(([name, daemon]) => ({
      ...daemonStatus(state, name, daemon, now, processes(name)),
      remark: isReady(daemon.state) ? (remarkOf(name) ?? (daemon.fallback ? FALLBACK : null)) : null,
    })),
    control,
  };
}

const FALLBACK = 'runs its fallback_command, since its command cannot run here';

function daemonStatus(
  state: State,
  name: string,
  daemon: Daemon,
  now: number,
  process: ProcessView,
): Omit<DaemonStatus, 'remark'> {
  return {
    name,
    state: daemon.state.status,
    ready: isReady(daemon.state),
    essential: daemon.spec.essential,
    pid: process.pid,
    restarts: daemon.restarts,
    fallback: daemon.fallback,
    cause: daemon.cause?.kind ?? null,
    detail: daemon.cause?.detail ?? null,
    hint: daemon.cause?.hint ?? null,
    exit_code: daemon.lastExit === undefined ? (daemon.outcome?.code ?? null) : exitCodeOf(daemon.lastExit),
    waiting_for: waitingFor(state, daemon, now),
    state_for_ms: Math.max(0, Math.round(now - daemon.stateSince)),
    cpu: process.cpu,
    memory_bytes: process.memory_bytes,
  };
}

/** In words, what a daemon waits for; null where it waits for nothing. */
function waitingFor(state: State, daemon: Daemon, now: number): string | null {
  switch (daemon.state.status) {
    case 'pending':
      return unmetDependencies(state.daemons, daemon).join(', ') || null;
    case 'starting':
      return readinessWords(daemon);
    case 'stopping':
      return `its processes to end; SIGKILL in ${formatDuration(Math.max(0, Math.round(daemon.state.killAt - now)))}`;
    case 'backoff':
      return `the next try in ${formatDuration(Math.max(0, Math.round(daemon.state.retryAt - now)))}`;
    case 'running':
      return daemon.state.ready ? null : 'its probe to pass again';
    default:
      return null;
  }
}

function readinessWords({ spec }: Daemon): string {
  const readiness = readinessOf(spec);
  if (typeof readiness === 'object') return `${formatDuration(readiness.after)} of running`;
  return {
    probe: 'its first passing probe',
    notification: 'its readiness notification',
    log: 'its readiness log line',
  }[readiness];
}

/** The aggregate of the bundle's health (DESIGN 8). */
export function healthOf(state: State): HealthReport {
  return aggregate([...state.daemons].map(([name, daemon]) => daemonHealth(name, daemon)));
}

function daemonHealth(name: string, daemon: Daemon): DaemonHealth {
  const { state, spec, goal, everReady } = daemon;
  const idle = state.status === 'completed' || state.status === 'stopped' || goal === 'down' || goal === 'remove';
  return {
    name,
    essential: spec.essential,
    wanted: !idle,
    ready: isReady(state),
    everReady,
    overdue: isOverdue(daemon),
    text:
      isReady(state) || daemon.cause === undefined ? state.status : `${state.status}: ${describeCause(daemon.cause)}`,
  };
}

/** A daemon that has failed, or failed once already on its way up, is no longer merely starting. */
function isOverdue({ state, spec, attempts }: Daemon): boolean {
  if (state.status === 'failed' || state.status === 'backoff' || attempts > 0) return true;
  const retries = activeHealthcheck(spec)?.retries ?? Number.POSITIVE_INFINITY;
  return state.status === 'starting' && (state.watch?.failuresInARow ?? 0) >= retries;
}
