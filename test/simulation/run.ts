import type { Effect } from '../../init/lifecycle/effect.ts';
import type { Event } from '../../init/lifecycle/event.ts';
import type { State } from '../../init/lifecycle/state.ts';
import { createState, nextDeadline, transition } from '../../init/lifecycle/transition.ts';
import { createJudge } from './invariants.ts';
import { createRandom } from './random.ts';
import { Violation } from './violation.ts';
import { createWorld } from './world.ts';

/** One step as a trace keeps it. */
export interface TraceEntry {
  readonly event: Event;
  readonly effects: readonly Effect[];
}

/** How the run of one seed went. */
export interface Run {
  readonly seed: number;
  readonly steps: number;
  /** Every step where `trace` was asked for, else the last few. */
  readonly trace: readonly TraceEntry[];
  /** The rule that broke, or what the policy threw. */
  readonly failure: Error | undefined;
}

/** After so many steps a run is asked to end, so that a bundle that crashes for ever does not take for ever. */
const ENOUGH = 250;
/** So many steps are no life but a loop. */
const LOOP = 3_000;
/** Events that reach the policy after its exit, which must do nothing. */
const AFTERMATH = 3;
const KEPT = 25;
/** One seed in so many is run with the check that the policy is pure, which costs more than all other rules. */
const PURITY_EVERY = 128;

/** Runs the policy in the world of this seed until it has left. The same seed gives the same run. */
export function simulate(seed: number, trace = false): Run {
  const random = createRandom(seed);
  const world = createWorld(random);
  const judge = createJudge(world.bundle, world.processes);
  const kept: TraceEntry[] = [];
  const isPurityChecked = seed % PURITY_EVERY === 0;
  let state = createState(world.bundle, seed);
  let steps = 0;
  let aftermath = 0;
  try {
    while (aftermath < AFTERMATH) {
      const event = world.next(nextDeadline(state));
      if (event === undefined) break;
      if (++steps === ENOUGH) world.hurry();
      if (steps > LOOP) throw new Violation('it always ends', '6', `still going after ${LOOP} steps`);
      if (state.exited) aftermath++;
      const before = state;
      const print = isPurityChecked ? fingerprint(before) : '';
      const { state: after, effects } = transition(before, event);
      kept.push({ event, effects });
      if (!trace && kept.length > 2 * KEPT) kept.splice(0, KEPT);
      if (isPurityChecked) judgePurity(before, print, event, { state: after, effects });
      judge.judge({ event, before, after, effects, deadline: nextDeadline(after) });
      for (const effect of effects) world.perform(effect);
      state = after;
    }
    if (!state.exited)
      throw new Violation('it always ends', '6', 'nothing will happen any more, and the init has not left');
  } catch (error) {
    return { seed, steps, trace: kept, failure: error instanceof Error ? error : new Error(String(error)) };
  }
  return { seed, steps, trace: kept, failure: undefined };
}

/** DESIGN 3: a pure function. It leaves its input as it was, and gives the same answer again. */
function judgePurity(before: State, print: string, event: Event, result: ReturnType<typeof transition>): void {
  if (fingerprint(before) !== print) throw new Violation('the policy leaves its input as it was', '3', event.type);
  const again = transition(before, event);
  if (
    fingerprint(again.state) !== fingerprint(result.state) ||
    JSON.stringify(again.effects) !== JSON.stringify(result.effects)
  ) {
    throw new Violation('the policy is a function', '3', `another answer to the same ${event.type}`);
  }
}

function fingerprint(state: State): string {
  return JSON.stringify(state, (_key, value: unknown) =>
    value instanceof Map ? [...value] : value === Number.POSITIVE_INFINITY ? 'never' : value,
  );
}
