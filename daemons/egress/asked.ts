import type { AgentSide } from './agent-side.ts';
import type { Leaving } from './fields.ts';

/** A request of the agent, ready to be judged. */
export interface Asked extends Leaving {
  readonly agent: AgentSide;
  /** What was read of its body before it goes out; undefined where nothing was. */
  readonly arrived?: Arrived;
}

export interface Arrived {
  readonly bytes: Buffer;
  /** Whether this is all of it. */
  readonly isWhole: boolean;
}
