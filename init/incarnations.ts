import { closeSync } from 'node:fs';
import type { Bundle, DaemonSpec } from './bundle/schema.ts';
import { provideData } from './child/data.ts';
import { buildEnvironment, type Environment, incarnationMark } from './child/environment.ts';
import { launch } from './child/launch.ts';
import type { Incarnation } from './child/members.ts';
import { type OomScores, watchOomKills } from './child/oom.ts';
import { closeReadEnds, closeWriteEnds, makeOutputPipes } from './child/pipes.ts';
import { type Privileges, resolvePrivileges } from './child/privileges.ts';
import { openNotification, provideSecrets } from './child/provisions.ts';
import { removeSecrets } from './child/secrets.ts';
import { findSurvivors, send as sendSignal, signalEscaped, signalGroup } from './child/survivors.ts';
import { measureUsage } from './child/usage.ts';
import type { EffectOf } from './lifecycle/effect.ts';
import type { Exit, SpawnError } from './lifecycle/event.ts';
import type { Logs, Tap } from './logs/logs.ts';
import { monotonic } from './monotonic.ts';
import { errnoOf } from './posix/errno.ts';
import { PosixError } from './posix/libc.ts';
import type { SignalName } from './posix/signal-names.ts';
import { hasChildren } from './posix/wait.ts';
import type { Reaper } from './reaper.ts';
import type { Happening } from './runtime.ts';
import type { ProcessView } from './view.ts';

/** One start of a daemon, from its first instruction until nothing of it is left. */
export interface Live extends Incarnation {
  readonly daemon: string;
  readonly incarnation: number;
  /** What its hooks and `test` probes run with, too. */
  readonly environment: Environment;
  readonly privileges: Privileges;
  /** What it was started with. */
  readonly spec: DaemonSpec;
  /** Called when its first process has ended: its notification closes, its probes and hooks give up. */
  readonly atEnd: Set<() => void>;
  /** Its outputs, read from when all that start at one time have been started. */
  readonly taps: Tap[];
  exit: Exit | undefined;
  /** Its user, while no other that lives has it. */
  uid: number | undefined;
  /** Its processor time when it was last looked at, in ms, and when that was. */
  lastLook: { readonly cpuMs: number; readonly at: number };
}

/** The processes behind the policy: starts and signals them, and tells of their end. */
export interface Incarnations {
  spawn(effect: EffectOf<'spawn'>): void;
  kill(effect: EffectOf<'kill'>): void;
  /** The incarnation that lives, where it is this one. */
  find(daemon: string, incarnation: number): Live | undefined;
  pid(daemon: string): number | undefined;
  /** What each daemon's processes use; one look at /proc. */
  usage(): (daemon: string) => ProcessView;
  /** From now on, `secrets` are in nobody's log; they replace the earlier ones of the same owner. */
  hide(owner: string, secrets: readonly string[]): void;
  /** Removes the secrets of a daemon that is no longer in the bundle. */
  forget(daemon: string): void;
  /** Closes what the daemons' outputs still hold open, within `ms`. */
  drain(ms: number): Promise<void>;
}

export interface IncarnationsOptions {
  /** The bundle in force; its `secrets` say where a daemon's come from. */
  readonly bundle: () => Bundle;
  /** Unique on this machine; part of every mark. */
  readonly runId: string;
  /** Secrets and notification sockets live in it. */
  readonly runDirectory: string;
  readonly logs: Logs;
  readonly reaper: Reaper;
  readonly scores: OomScores;
  readonly send: (happening: Happening) => void;
}

/** Lines of stderr that a diagnosis looks at. */
const LAST_LINES = 20;
/** What a daemon can write before it has to wait for the init to read: twice the usual, which costs less waking. */
const PIPE_BYTES = 131_072;
/** How long a pipe is read on after its daemon is gone, where somebody else holds it, in ms. */
const HELD_PIPE_MS = 500;
/** How long the processes outside of a daemon's group may live longer than those in it before they are signalled, in ms. */
const ESCAPED_AFTER_MS = 5;
/** How often leftovers that nobody reports the end of are looked for, in ms. */
const LOOK_AGAIN_MS = 100;

export function createIncarnations(options: IncarnationsOptions): Incarnations {
  const { bundle, runId, runDirectory, logs, reaper, scores, send } = options;
  const lives = new Map<string, Live>();
  const masks = new Map<string, readonly string[]>();
  const oomKills = watchOomKills();
  let leaving: Live[] = [];
  const lingering = new Set<Live>();
  const signalled = new Map<Live, SignalName>();
  /** Looks at /proc take at most half of the time, however many daemons end at once. */
  let nextLookAt = 0;
  let look: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined;

  reaper.onPass(tellEnds);

  function spawn(effect: EffectOf<'spawn'>): void {
    const { daemon, incarnation } = effect;
    const started = tryStart(effect);
    if ('error' in started) {
      send({ type: 'spawn-failed', daemon, incarnation, error: started.error });
      return;
    }
    lives.set(daemon, started);
    reaper.watch(started.leader, (exit) => {
      started.exit = exit;
      for (const act of started.atEnd) act();
      started.atEnd.clear();
      leaving.push(started);
    });
    send({ type: 'spawned', daemon, incarnation });
  }

  /** A lack of descriptors or memory is the daemon's failed start, not a fault of the init. */
  function tryStart(effect: EffectOf<'spawn'>): Live | { readonly error: SpawnError } {
    try {
      return start(effect);
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
      return {
        error: { errno: error.code, message: `${argvOf(effect)[0]}: cannot be started: ${error.message}` },
      };
    }
  }

  function start(effect: EffectOf<'spawn'>): Live | { readonly error: SpawnError } {
    const { daemon, incarnation, spec } = effect;
    const privileges = resolvePrivileges(spec);
    if ('error' in privileges) return privileges;
    const owner = privileges.identity;
    const unmade = provideData(spec.data, owner);
    if (unmade !== undefined) return unmade;
    const credentials = provideSecrets({ runDirectory, daemon, spec, owner, sources: bundle().secrets });
    if (credentials !== undefined && 'error' in credentials) return { error: credentials.error };
    if (credentials !== undefined) hide(daemon, credentials.masks);
    using handedOver = new DisposableStack();
    using undone = new DisposableStack();
    const notification = openNotification({ runDirectory, daemon, incarnation, spec, owner });
    if (notification !== undefined && 'error' in notification) return { error: notification.error };
    if (notification !== undefined) undone.defer(notification.close);
    for (const { fd } of notification?.descriptors ?? []) handedOver.defer(() => closeSync(fd));

    const mark = incarnationMark(runId, daemon, incarnation);
    const environment = buildEnvironment(spec, process.env, {
      identity: owner,
      mark,
      notifySocket: notification?.socket,
      credentialsDirectory: credentials?.directory,
    });
    const output = makeOutputPipes({
      owner: owner.uid === process.geteuid?.() ? undefined : owner,
      capacity: PIPE_BYTES,
    });
    handedOver.defer(() => closeWriteEnds(output));
    undone.defer(() => closeReadEnds(output));
    const launched = scores.startWith(spec.oom_score_adj, () =>
      launch({
        argv: argvOf(effect),
        prefix: privileges.prefix,
        environment,
        cwd: spec.working_dir,
        descriptors: [
          { fd: output.stdout.write, as: 1 },
          { fd: output.stderr.write, as: 2 },
          ...(notification?.descriptors ?? []),
        ],
        session: 'new',
      }),
    );
    if ('error' in launched) return launched;
    undone.move();

    const taps: Tap[] = [];
    queueMicrotask(() => {
      taps.push(logs.attach(daemon, 'stdout', output.stdout.read, spec.logging));
      taps.push(logs.attach(daemon, 'stderr', output.stderr.read, spec.logging));
    });
    const atEnd = new Set<() => void>();
    const ready = (): void => send({ type: 'ready', daemon, incarnation });
    notification?.onReady(ready);
    const stopMatch =
      spec.ready?.log === undefined ? undefined : logs.onMatch(daemon, new RegExp(spec.ready.log), ready);
    if (notification !== undefined) atEnd.add(notification.close);
    if (stopMatch !== undefined) atEnd.add(stopMatch);
    return {
      daemon,
      incarnation,
      leader: launched.pid,
      mark,
      uid: takeUid(owner.uid),
      environment,
      privileges,
      spec,
      atEnd,
      taps,
      exit: undefined,
      lastLook: { cpuMs: 0, at: monotonic() },
    };
  }

  /** A daemon that is told to read its files anew finds its directories of secrets as they are now. */
  function renewSecrets({ daemon, spec, privileges: { identity: owner } }: Live): void {
    const { secrets: sources } = bundle();
    if (spec.secrets.every(({ source }) => sources[source]?.directory === undefined)) return;
    const renewed = provideSecrets({ runDirectory, daemon, spec, owner, sources });
    if (renewed === undefined) return;
    if ('error' in renewed) {
      logs.own('error', daemon, `its secrets stay as they were: ${renewed.error.message}`);
    } else hide(daemon, [...new Set([...renewed.masks, ...(masks.get(daemon) ?? [])])]);
  }

  function hide(owner: string, secrets: readonly string[]): void {
    masks.set(owner, secrets);
    logs.mask([...masks.values()].flat());
  }

  /** The uid by which the processes of one that starts now are known: undefined where others have it, who then share it, too. */
  function takeUid(uid: number): number | undefined {
    const others = [...lives.values()].filter((live) => live.privileges.identity.uid === uid);
    for (const other of others) other.uid = undefined;
    return others.length > 0 || uid === process.geteuid?.() ? undefined : uid;
  }

  /** After each pass of the reaper: one look at /proc tells which of those that lost their first process left others behind. */
  function tellEnds(): void {
    if (leaving.length === 0 && lingering.size === 0) return;
    const start = monotonic();
    if (start < nextLookAt) {
      lookAgain(nextLookAt - start);
      return;
    }
    const ended = leaving;
    leaving = [];
    const alive = hasChildren() ? findSurvivors([...ended, ...lingering]) : new Set<Live>();
    const end = monotonic();
    nextLookAt = end + (end - start);
    for (const live of lingering) {
      if (alive.has(live)) continue;
      lingering.delete(live);
      release(live);
      send({ type: 'gone', daemon: live.daemon, incarnation: live.incarnation });
    }
    for (const live of ended) tellExit(live, alive.has(live));
    if (lingering.size > 0) lookAgain(LOOK_AGAIN_MS);
  }

  /** A process that is no child of ours, and so is not reported to us, may be the last that is left. */
  function lookAgain(ms: number): void {
    const at = monotonic() + ms;
    if (look !== undefined && look.at <= at) return;
    clearTimeout(look?.timer);
    const timer = setTimeout(() => {
      look = undefined;
      tellEnds();
    }, ms);
    look = { at, timer };
  }

  function tellExit(live: Live, remains: boolean): void {
    const { daemon, incarnation, exit } = live;
    if (exit === undefined) return;
    for (const tap of live.taps) tap.drain();
    if (remains) lingering.add(live);
    else release(live);
    const outOfMemory = 'signal' in exit && exit.signal === 'SIGKILL' && oomKills.take();
    const lastLines = logs.lastLines(daemon, 'stderr', LAST_LINES);
    send({ type: 'exited', daemon, incarnation, exit, remains, outOfMemory, lastLines });
  }

  /**
   * The group at once; those that left it a moment later, by one look at /proc for all daemons that are stopped at the same
   * time. Most are gone by then, and need no look.
   */
  function signalEverything(live: Live, signal: SignalName): void {
    signalGroup(live, signal);
    if (signal !== 'SIGKILL') signalGroup(live, 'SIGCONT');
    if (signalled.size === 0) setTimeout(reachEscaped, ESCAPED_AFTER_MS);
    signalled.set(live, signal);
  }

  function reachEscaped(): void {
    const bySignal = Map.groupBy(signalled, ([, signal]) => signal);
    signalled.clear();
    for (const [signal, targets] of bySignal) {
      const alive = targets.map(([live]) => live).filter((live) => lives.get(live.daemon) === live);
      if (alive.length > 0) signalEscaped(alive, signal);
    }
  }

  function release(live: Live): void {
    for (const tap of live.taps) tap.endWithin(HELD_PIPE_MS);
    if (lives.get(live.daemon) === live) lives.delete(live.daemon);
  }

  return {
    spawn,
    kill({ daemon, incarnation, signal, to }) {
      const live = lives.get(daemon);
      if (live === undefined || live.incarnation !== incarnation) return;
      if (to === 'all') signalEverything(live, signal);
      else if (live.exit === undefined) {
        if (signal === 'SIGHUP') renewSecrets(live);
        sendSignal(live.leader, signal);
      }
    },
    find(daemon, incarnation) {
      const live = lives.get(daemon);
      return live?.incarnation === incarnation ? live : undefined;
    },
    pid(daemon) {
      const live = lives.get(daemon);
      return live?.exit === undefined ? live?.leader : undefined;
    },
    usage() {
      const at = monotonic();
      const used = measureUsage([...lives.values()]);
      return (daemon) => {
        const live = lives.get(daemon);
        const usage = live && used.get(live);
        if (live === undefined || usage === undefined) return { pid: null, cpu: null, memory_bytes: null };
        const cpu = Math.max(0, usage.cpuMs - live.lastLook.cpuMs) / Math.max(1, at - live.lastLook.at);
        live.lastLook = { cpuMs: usage.cpuMs, at };
        return { pid: live.exit === undefined ? live.leader : null, cpu, memory_bytes: usage.memoryBytes };
      };
    },
    hide,
    forget(daemon) {
      try {
        removeSecrets({ runDirectory, daemon });
      } catch (error) {
        logs.own('warn', daemon, `its secrets stay in ${runDirectory}: ${errnoOf(error)}`);
      }
    },
    async drain(ms) {
      const taps = [...lives.values()].flatMap((live) => live.taps);
      for (const tap of taps) tap.endWithin(ms);
      await Promise.all(taps.map((tap) => tap.ended));
    },
  };
}

/** What is to be started, program first. */
function argvOf({ spec, fallback }: EffectOf<'spawn'>): readonly string[] {
  return fallback ? spec.fallback_command : [...spec.entrypoint, ...spec.command];
}
