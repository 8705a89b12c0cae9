import * as z from 'zod';
import { type Bundle, bundleSchema } from '../../init/bundle/schema.ts';
import type { Effect, EffectOf } from '../../init/lifecycle/effect.ts';
import type { Command, Event, Exit } from '../../init/lifecycle/event.ts';
import type { Daemon, State } from '../../init/lifecycle/state.ts';
import { createState, nextDeadline, transition } from '../../init/lifecycle/transition.ts';

type Input = z.input<typeof bundleSchema>;
type Unstamped = Event extends infer E ? (E extends Event ? Omit<E, 'at'> : never) : never;

export function bundleOf(input: Input): Bundle {
  return z.decode(bundleSchema, input);
}

/** One run of the policy by hand: events go in, the clock is moved, effects are kept. */
export interface Play {
  now: number;
  send(event: Unstamped): readonly Effect[];
  /** Moves the clock on by `ms`, with a tick at every deadline on the way. */
  wait(ms: number): readonly Effect[];
  daemon(name: string): Daemon;
  status(name: string): string;
  spawned(...names: string[]): void;
  ready(name: string): readonly Effect[];
  exited(name: string, exit: Exit, more?: Partial<Extract<Event, { type: 'exited' }>>): readonly Effect[];
  gone(name: string): readonly Effect[];
  probed(name: string, passed: boolean): readonly Effect[];
  command(name: string, command: Command): EffectOf<'answer'>;
  state(): State;
}

export function play(input: Input, seed = 1): Play {
  let state = createState(bundleOf(input), seed);
  const incarnation = (name: string) => of(name).incarnation;
  const of = (name: string): Daemon => {
    const daemon = state.daemons.get(name);
    if (daemon === undefined) throw new Error(`no daemon ${name}`);
    return daemon;
  };
  const run: Play = {
    now: 0,
    send(event) {
      const result = transition(state, { ...event, at: run.now });
      state = result.state;
      return result.effects;
    },
    wait(ms) {
      const end = run.now + ms;
      const effects: Effect[] = [];
      for (let next = nextDeadline(state); next <= end; next = nextDeadline(state)) {
        run.now = Math.max(run.now, next);
        effects.push(...run.send({ type: 'tick' }));
      }
      run.now = end;
      return effects;
    },
    daemon: of,
    status: (name) => of(name).state.status,
    spawned(...names) {
      for (const name of names) run.send({ type: 'spawned', daemon: name, incarnation: incarnation(name) });
    },
    ready: (name) => run.send({ type: 'ready', daemon: name, incarnation: incarnation(name) }),
    exited: (name, exit, more) =>
      run.send({
        type: 'exited',
        daemon: name,
        incarnation: incarnation(name),
        exit,
        remains: false,
        outOfMemory: false,
        lastLines: [],
        ...more,
      }),
    gone: (name) => run.send({ type: 'gone', daemon: name, incarnation: incarnation(name) }),
    probed: (name, passed) =>
      run.send({
        type: 'probed',
        daemon: name,
        incarnation: incarnation(name),
        passed,
        detail: passed ? 'ok' : 'refused',
      }),
    command(name, command) {
      const answer = run
        .send({ type: 'command', daemon: name, command, plane: 'cli' })
        .find((effect) => effect.type === 'answer');
      if (answer?.type !== 'answer') throw new Error('a command without an answer');
      return answer;
    },
    state: () => state,
  };
  run.send({ type: 'begin' });
  return run;
}

/** The effects of one type among `effects`. */
export function only<T extends Effect['type']>(effects: readonly Effect[], type: T): readonly EffectOf<T>[] {
  return effects.filter((effect): effect is EffectOf<T> => effect.type === type);
}

/** Names of the daemons that these effects start. */
export function starts(effects: readonly Effect[]): readonly string[] {
  return only(effects, 'spawn').map((effect) => effect.daemon);
}

/** `name:SIGNAL` of the signals that these effects send. */
export function kills(effects: readonly Effect[]): readonly string[] {
  return only(effects, 'kill').map((effect) => `${effect.daemon}:${effect.signal}`);
}
