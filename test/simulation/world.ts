import type { Bundle } from '../../init/bundle/schema.ts';
import type { Effect } from '../../init/lifecycle/effect.ts';
import type { Event } from '../../init/lifecycle/event.ts';
import { decodeDraft, randomDraft } from './bundles.ts';
import { createOperators } from './operators.ts';
import { type Clock, createProcesses, type Happening, type Processes } from './processes.ts';
import { createQueue } from './queue.ts';
import type { Random } from './random.ts';

/** Everything outside the policy, under a virtual clock: the shell, the kernel, the daemons and the operators. */
export interface World {
  readonly bundle: Bundle;
  readonly processes: Processes;
  /** The next event. `deadline`: when the policy wants a tick. undefined: nothing will happen any more. */
  next(deadline: number): Event | undefined;
  perform(effect: Effect): void;
  /** Asks the bundle to end now: for runs that would not end soon by themselves. */
  hurry(): void;
}

/** The world of one run: its bundle, and all that will happen to it, drawn from `random`. */
export function createWorld(random: Random): World {
  const queue = createQueue<() => Happening | undefined>();
  let now = random.int(0, 1_000_000);
  const clock: Clock = {
    now: () => now,
    after: (delay, happen) => queue.put(now + delay, happen),
  };
  const draft = randomDraft(random);
  clock.after(0, () => ({ type: 'begin' }));
  const operators = createOperators(random, clock, draft);
  const processes = createProcesses(random, clock);
  const lateness = createLateness(random);

  return {
    bundle: decodeDraft(draft),
    processes,
    next: (deadline) => {
      for (;;) {
        const tickAt = Math.max(now, lateness(deadline));
        if (queue.nextAt() > tickAt) {
          now = tickAt;
          return { type: 'tick', at: now };
        }
        const entry = queue.take();
        if (entry === undefined) return undefined;
        now = entry.at;
        const happening = entry.item();
        if (happening !== undefined) return stamped(happening, now);
      }
    },
    perform: (effect) => {
      switch (effect.type) {
        case 'spawn':
          processes.spawn(effect);
          break;
        case 'kill':
          processes.kill(effect.daemon, effect.incarnation, effect.signal, effect.to);
          break;
        case 'kill-everything':
          processes.killEverything();
          break;
        case 'probe':
          processes.probe(effect);
          break;
        case 'run-hooks':
          processes.runHooks(effect);
          break;
        case 'read-bundle':
          clock.after(random.int(0, 40), () => operators.readBundle('signal'));
          break;
        default:
      }
    },
    hurry: () => clock.after(0, () => ({ type: 'signal', signal: 'SIGTERM' })),
  };
}

/**
 * When the tick for a deadline comes: never early, mostly on time, some ms late under load, and in some worlds seconds late, as
 * after a pause of the whole machine.
 */
function createLateness(random: Random): (deadline: number) => number {
  const load = random.weighted({ none: 6, light: 3, heavy: 1 });
  let known = Number.POSITIVE_INFINITY;
  let late = 0;
  return (deadline) => {
    if (deadline !== known) {
      known = deadline;
      late = load === 'none' ? 0 : random.int(0, load === 'heavy' && random.chance(0.1) ? 4_000 : 20);
    }
    return deadline + late;
  };
}

/** The spread of a union loses its members' link between `type` and the rest, which is sound here: only `at` is added. */
function stamped(happening: Happening, at: number): Event {
  return { ...happening, at } as Event;
}
