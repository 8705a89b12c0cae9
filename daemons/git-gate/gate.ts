import type { Log } from '../log/log.ts';
import { type OneAtATime, oneAtATime } from '../watch/one-at-a-time.ts';
import type { GateConfig, Repo } from './config/load.ts';
import { gitEnvironment } from './git/environment.ts';
import { createMutex, createPlaces, type Mutex, type Release } from './locks.ts';
import { removeDeadQuarantines } from './mirror/leftovers.ts';
import { cleanUp, mirrorPath, prepareMirror } from './mirror/mirror.ts';
import { copyHead, fetchFromUpstream, isHeadBorn, type Refreshed } from './mirror/refresh.ts';
import type { Settings } from './settings.ts';

/** A request for one repository, let in: it has its place among those that run at once. */
export interface Admitted {
  readonly repo: Repo;
  readonly path: string;
  readonly config: GateConfig;
  /** Brings the mirror up to date unless it was within the last `fresh` ms. */
  refresh(fresh: number): Promise<Refreshed>;
  /** Alone with the mirror: no other push and no refresh meanwhile. Undefined where that took longer than a push may take. */
  lock(signal: AbortSignal): Promise<Release | undefined>;
  /** Upstream and mirror may differ from now on: whoever comes next has the mirror refreshed. */
  doubt(): void;
  /** The request is over. `mayHaveLeftovers`: git was killed, so its temporary objects are removed. */
  leave(mayHaveLeftovers: boolean): void;
}

export type Admission =
  | { readonly ok: true; readonly admitted: Admitted }
  | { readonly ok: false; readonly reason: string };

/** Knows every repository, keeps its mirror fresh, and bounds how much happens at once. */
export interface Gate {
  /** Takes a configuration over, at start or later. Mirrors of new repositories are made when they are first asked for. */
  configure(config: GateConfig): void;
  readonly config: GateConfig;
  /** Lets a request in, after it has waited for its turn. The reason is for the agent. */
  admit(name: string, signal: AbortSignal): Promise<Admission>;
}

interface Kept {
  repo: Repo;
  isPrepared: boolean;
  readonly mutex: Mutex;
  readonly places: Mutex;
  running: number;
  hasLeftovers: boolean;
  /** Removes leftovers while others run. */
  readonly sweep: OneAtATime;
  /** On the monotonic clock, ms; undefined: never, or not since the upstream changed. */
  refreshedAt: number | undefined;
  headCopiedAt: number | undefined;
  refreshing: Promise<Refreshed> | undefined;
}

/** How long a request waits for others to end before it is told to come back. */
const TURN_MS = 30_000;
/** The default branch changes rarely, and asking for it is a connection of its own. */
const HEAD_FRESH_MS = 600_000;

export function createGate(settings: Settings, first: GateConfig, log: Log): Gate {
  let config = first;
  const kept = new Map<string, Kept>();
  const total = createPlaces(() => config.limits.concurrent_total);

  function configure(next: GateConfig): void {
    config = next;
    for (const [name, state] of kept) {
      const repo = next.repos.get(name);
      if (repo === undefined) continue;
      if (repo.upstream.url !== state.repo.upstream.url) state.refreshedAt = undefined;
      state.repo = repo;
      state.isPrepared = false;
    }
  }

  function stateOf(repo: Repo): Kept {
    const known = kept.get(repo.name);
    if (known !== undefined) return known;
    const made: Kept = {
      repo,
      isPrepared: false,
      mutex: createMutex(),
      places: createPlaces(() => config.limits.concurrent_per_repo),
      running: 0,
      hasLeftovers: false,
      sweep: oneAtATime(() => removeDeadQuarantines(mirrorPath(settings, repo.name))),
      refreshedAt: undefined,
      headCopiedAt: undefined,
      refreshing: undefined,
    };
    kept.set(repo.name, made);
    return made;
  }

  async function admit(name: string, signal: AbortSignal): Promise<Admission> {
    const repo = config.repos.get(name);
    if (repo === undefined) return { ok: false, reason: noSuch(name, config) };
    const state = stateOf(repo);
    const place = await state.places.acquire(TURN_MS, signal);
    if (place === undefined) return { ok: false, reason: BUSY };
    const place2 = await total.acquire(TURN_MS, signal);
    if (place2 === undefined) {
      place();
      return { ok: false, reason: BUSY };
    }
    state.running += 1;
    let hasLeft = false;
    const leave = (mayHaveLeftovers: boolean): void => {
      if (hasLeft) return;
      hasLeft = true;
      state.running -= 1;
      state.hasLeftovers ||= mayHaveLeftovers;
      if (state.running === 0 && state.hasLeftovers) {
        state.hasLeftovers = false;
        cleanUp(mirrorPath(settings, name));
      } else if (mayHaveLeftovers) state.sweep.run();
      place2();
      place();
    };
    const admitted: Admitted = {
      repo,
      path: mirrorPath(settings, name),
      config,
      refresh: (fresh) => refresh(state, fresh),
      lock: (waiting) => state.mutex.acquire(config.limits.push_timeout, waiting),
      doubt: () => {
        state.refreshedAt = undefined;
      },
      leave,
    };
    return { ok: true, admitted };
  }

  /** All who ask while one refresh runs get its answer: it began after the request before them, and ends after theirs began. */
  function refresh(state: Kept, fresh: number): Promise<Refreshed> {
    if (state.isPrepared && state.refreshedAt !== undefined && performance.now() - state.refreshedAt < fresh) {
      return Promise.resolve({ ok: true });
    }
    state.refreshing ??= refreshNow(state).finally(() => {
      state.refreshing = undefined;
    });
    return state.refreshing;
  }

  async function refreshNow(state: Kept): Promise<Refreshed> {
    const release = await state.mutex.acquire(config.limits.fetch_timeout);
    if (release === undefined)
      return { ok: false, reason: 'another push to this repository takes too long; try again' };
    const started = performance.now();
    const { repo } = state;
    try {
      if (!state.isPrepared) {
        await prepareMirror(settings, repo, config.limits);
        state.isPrepared = state.repo === repo;
      }
      const refreshed = await fetchAndHead(state, repo);
      // Who waits for this may have been let in by a newer configuration.
      if (state.repo.upstream.url !== repo.upstream.url)
        return { ok: false, reason: 'its upstream has just been changed; try again' };
      if (refreshed.ok) {
        if (state.repo === repo) state.refreshedAt = started;
      } else {
        const { reason } = refreshed;
        log('warn', `${repo.name}: the mirror could not be refreshed: ${reason}. Nothing is served until it can be.`, {
          event: 'refresh-failed',
          repo: repo.name,
          reason,
        });
      }
      return refreshed;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log('error', `${repo.name}: the mirror cannot be used: ${reason}`, {
        event: 'mirror-failed',
        repo: repo.name,
        reason,
      });
      return { ok: false, reason: 'the mirror cannot be used; the operator finds the reason in the log of git-gate' };
    } finally {
      release();
    }
  }

  async function fetchAndHead(state: Kept, repo: Repo): Promise<Refreshed> {
    const fetched = await fetchFromUpstream(settings, repo, config.limits);
    if (!fetched.ok) return fetched;
    const now = performance.now();
    const isRecent = state.headCopiedAt !== undefined && now - state.headCopiedAt < HEAD_FRESH_MS;
    if (isRecent && (await isHeadBorn(settings, repo, gitEnvironment(settings)))) return fetched;
    const copied = await copyHead(settings, repo, config.limits);
    if (copied.ok) state.headCopiedAt = now;
    return copied;
  }

  return {
    configure,
    get config() {
      return config;
    },
    admit,
  };
}

const BUSY = 'too many requests at once; try again in a moment';

function noSuch(name: string, config: GateConfig): string {
  const known = [...config.repos.keys()].join(', ');
  return `there is no repository ${JSON.stringify(name)} behind this gate; ${known === '' ? 'there is none at all' : `there are: ${known}`}`;
}
