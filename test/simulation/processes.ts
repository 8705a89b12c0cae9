import type { DaemonSpec } from '../../init/bundle/schema.ts';
import type { Effect } from '../../init/lifecycle/effect.ts';
import type { Event, Exit } from '../../init/lifecycle/event.ts';
import type { SignalName } from '../../init/posix/signal-names.ts';
import { type Behaviour, randomBehaviour, randomTemper, type Temper } from './behaviour.ts';
import type { Random } from './random.ts';

/** An event whose time is set when it is delivered. */
export type Happening = Event extends infer E ? (E extends Event ? Omit<E, 'at'> : never) : never;

/** The virtual clock of a run. */
export interface Clock {
  now(): number;
  /** Calls back after `delay` ms; what that returns reaches the policy as an event. */
  after(delay: number, happen: () => Happening | undefined): void;
}

interface Process {
  readonly daemon: string;
  readonly incarnation: number;
  readonly spec: DaemonSpec;
  readonly behaviour: Behaviour;
  /** Infinity until it is born: until then a signal finds nobody. */
  bornAt: number;
  leader: boolean;
  others: boolean;
  /** The leader's end has reached the policy. */
  reported: boolean;
}

/** The fake processes of a run: they do what they like, and what they are made to do. */
export interface Processes {
  spawn(effect: Extract<Effect, { type: 'spawn' }>): void;
  kill(daemon: string, incarnation: number, signal: SignalName, to: 'leader' | 'all'): void;
  killEverything(): void;
  probe(effect: Extract<Effect, { type: 'probe' }>): void;
  runHooks(effect: Extract<Effect, { type: 'run-hooks' }>): void;
  /** Incarnations of a daemon of which some process lives. */
  living(daemon: string): readonly number[];
  /** Some process of this bundle lives that SIGKILL could end. */
  mortals(): number;
}

/** No processes yet. All that they do is drawn from `random` and happens by the clock. */
export function createProcesses(random: Random, { now, after }: Clock): Processes {
  const tempers = new Map<string, Temper>();
  const processes = new Map<string, Process>();
  const delay = (): number => (random.chance(0.7) ? 0 : random.int(0, 30));

  const temperOf = (daemon: string): Temper => {
    const known = tempers.get(daemon);
    if (known !== undefined && !random.chance(0.03)) return known;
    const temper = randomTemper(random);
    tempers.set(daemon, temper);
    return temper;
  };

  const find = (daemon: string, incarnation: number): Process | undefined => processes.get(`${daemon}#${incarnation}`);

  const endOthers = (process: Process): void => {
    if (!process.others) return;
    process.others = false;
    if (!process.reported) return;
    after(delay(), () => ({ type: 'gone', daemon: process.daemon, incarnation: process.incarnation }));
  };

  const endLeader = (process: Process, exit: Exit, outOfMemory: boolean, lastLines: readonly string[]): void => {
    if (!process.leader) return;
    process.leader = false;
    after(delay(), () => {
      process.reported = true;
      const { daemon, incarnation } = process;
      return { type: 'exited', daemon, incarnation, exit, remains: process.others, outOfMemory, lastLines };
    });
    const { othersLive } = process.behaviour;
    if (process.others && othersLive < Number.POSITIVE_INFINITY) after(othersLive, () => void endOthers(process));
  };

  const onSignal = (process: Process, signal: SignalName): void => {
    const { behaviour } = process;
    if (signal === 'SIGKILL') {
      if (behaviour.undead) return;
      after(delay(), () => void endLeader(process, { signal: 'SIGKILL' }, false, []));
    } else if (signal === process.spec.stop_signal || signal === 'SIGTERM' || signal === 'SIGINT') {
      if (behaviour.stopsAfter === Number.POSITIVE_INFINITY || behaviour.undead) return;
      after(behaviour.stopsAfter, () => void endLeader(process, behaviour.stopExit ?? { signal }, false, []));
    }
  };

  const kill: Processes['kill'] = (daemon, incarnation, signal, to) => {
    const process = find(daemon, incarnation);
    if (process === undefined || process.bornAt === Number.POSITIVE_INFINITY) return;
    if (process.leader) onSignal(process, signal);
    if (to === 'leader' || process.behaviour.undead) return;
    if (signal === 'SIGKILL') after(delay(), () => void endOthers(process));
    else if (process.behaviour.othersObey) after(random.int(0, 400), () => void endOthers(process));
  };

  const live = (process: Process): void => {
    const { daemon, incarnation, behaviour, spec } = process;
    process.bornAt = now();
    if (behaviour.endsAfter < Number.POSITIVE_INFINITY && !behaviour.undead) {
      after(
        behaviour.endsAfter,
        () => void endLeader(process, behaviour.exit, behaviour.outOfMemory, behaviour.lastLines),
      );
    }
    const speaks = spec.ready !== undefined && spec.ready.after === undefined;
    if (!speaks || behaviour.readyAfter === Number.POSITIVE_INFINITY) return;
    after(behaviour.readyAfter, () => (process.leader ? { type: 'ready', daemon, incarnation } : undefined));
    if (random.chance(0.1)) after(behaviour.readyAfter + 700, () => ({ type: 'ready', daemon, incarnation }));
  };

  return {
    spawn: ({ daemon, incarnation, spec, fallback }) => {
      // Mostly a static build runs where the other does not.
      const behaviour = randomBehaviour(random, fallback && random.chance(0.7) ? 'flaky' : temperOf(daemon));
      if (behaviour.spawnError !== undefined) {
        const error = behaviour.spawnError;
        after(delay(), () => ({ type: 'spawn-failed', daemon, incarnation, error }));
        return;
      }
      const process: Process = {
        daemon,
        incarnation,
        spec,
        behaviour,
        bornAt: Number.POSITIVE_INFINITY,
        leader: true,
        others: behaviour.othersLive > 0,
        reported: false,
      };
      processes.set(`${daemon}#${incarnation}`, process);
      after(delay(), () => {
        live(process);
        return { type: 'spawned', daemon, incarnation };
      });
    },
    kill,
    killEverything: () => {
      for (const { daemon, incarnation, leader, others } of processes.values()) {
        if (leader || others) kill(daemon, incarnation, 'SIGKILL', 'all');
      }
    },
    probe: ({ daemon, incarnation, spec }) => {
      const process = find(daemon, incarnation);
      const timeout = spec.healthcheck?.timeout ?? 0;
      const age = process === undefined ? 0 : now() - process.bornAt;
      const well =
        process?.leader === true &&
        age >= process.behaviour.readyAfter &&
        age < process.behaviour.sickAfter &&
        random.chance(process.behaviour.probePasses);
      const takes = random.chance(0.8) ? random.int(0, 20) : random.int(0, timeout);
      after(well ? Math.min(takes, timeout) : random.chance(0.5) ? takes : timeout, () => ({
        type: 'probed',
        daemon,
        incarnation,
        passed: well,
        detail: well ? 'connected' : 'connection refused',
      }));
    },
    runHooks: ({ daemon, incarnation, stage }) => {
      const behaviour = find(daemon, incarnation)?.behaviour;
      if (behaviour === undefined || behaviour.hookTakes === Number.POSITIVE_INFINITY) return;
      const failure = behaviour.hookFails ? { failure: 'exit code 1' } : {};
      after(behaviour.hookTakes, () => ({ type: 'hooks-ended', daemon, incarnation, stage, ...failure }));
    },
    living: (daemon) =>
      [...processes.values()]
        .filter((process) => process.daemon === daemon && (process.leader || process.others))
        .map((process) => process.incarnation),
    mortals: () =>
      [...processes.values()].filter((process) => (process.leader || process.others) && !process.behaviour.undead)
        .length,
  };
}
