import type { Effect } from '../../../init/lifecycle/effect.ts';
import type { Facts, Step } from '../facts.ts';
import type { Processes } from '../processes.ts';

/** What a rule looks at. */
export interface Sight {
  readonly facts: Facts;
  readonly step: Step;
  /** The processes as they really are, which the policy knows only from events. */
  readonly processes: Processes;
}

/**
 * One rule of the design, or a few that are judged together. Each part throws a `Violation`.
 */
export interface Rule {
  /** Judges one effect, with the facts as they were before it. */
  readonly onEffect?: (effect: Effect, sight: Sight) => void;
  /** Judges a whole step, with the facts as they are after it. */
  readonly afterStep?: (sight: Sight) => void;
}
