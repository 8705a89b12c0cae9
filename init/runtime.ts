import type { Bundle } from './bundle/schema.ts';
import type { Effect } from './lifecycle/effect.ts';
import type { Event } from './lifecycle/event.ts';
import type { State } from './lifecycle/state.ts';
import { createState, nextDeadline, transition } from './lifecycle/transition.ts';
import { monotonic } from './monotonic.ts';

/** An event that the runtime stamps with the time at which it takes it in. */
export type Happening = Event extends infer E ? (E extends Event ? Omit<E, 'at'> : never) : never;

/** The policy with a clock: events go in, effects come out, deadlines become ticks. */
export interface Runtime {
  /**
   * Takes in an event, and carries out what follows from it before it returns, unless it is called while effects are
   * being carried out: then the event waits for its turn. Returns the effects of just this event in the first case.
   */
  send(happening: Happening): readonly Effect[];
  state(): State;
  /** Monotonic ms, the time of all events. */
  now(): number;
}

/** setTimeout(3) of Node cannot wait longer, in ms; the timer is then set again. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * Runs the policy. `perform` carries out one effect; it may send events. A fault in `perform` is turned into a `fault`
 * event, which ends the bundle in order.
 */
export function createRuntime(options: {
  readonly bundle: Bundle;
  readonly seed: number;
  readonly perform: (effect: Effect) => void;
}): Runtime {
  const { perform } = options;
  const queue: Happening[] = [];
  let state = createState(options.bundle, options.seed);
  let busy = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;

  function take(happening: Happening): readonly Effect[] {
    const result = transition(state, { ...happening, at: monotonic() });
    state = result.state;
    for (const effect of result.effects) {
      try {
        perform(effect);
      } catch (error) {
        queue.push({
          type: 'fault',
          detail: `cannot ${effect.type}: ${error instanceof Error ? error.message : String(error)}`,
        });
      }
    }
    return result.effects;
  }

  function send(happening: Happening): readonly Effect[] {
    if (busy) {
      queue.push(happening);
      return [];
    }
    busy = true;
    try {
      const effects = take(happening);
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) take(next);
      return effects;
    } finally {
      busy = false;
      setTimer();
    }
  }

  function setTimer(): void {
    const deadline = nextDeadline(state);
    if (deadline === timerAt) return;
    clearTimeout(timer);
    timerAt = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    timer = setTimeout(onTimer, Math.min(Math.max(0, deadline - monotonic()), LONGEST_TIMER_MS));
  }

  /** Node's timers may fire up to 1 ms early; then there is nothing due yet and the timer is set again. */
  function onTimer(): void {
    const due = timerAt <= monotonic();
    timerAt = Number.POSITIVE_INFINITY;
    if (due) send({ type: 'tick' });
    else setTimer();
  }

  return { send, state: () => state, now: monotonic };
}
