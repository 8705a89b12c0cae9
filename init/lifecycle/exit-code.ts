import type { Bundle } from '../bundle/schema.ts';
import type { Daemon, Outcome, Shutdown } from './state.ts';
import { isAlive } from './step.ts';

/** The bundle's exit code, the daemon that decided it, and why. */
export interface Decision {
  readonly code: number;
  readonly decidedBy?: string;
  readonly why: string;
}

const INTERNAL_ERROR = 70;
const SIGKILLED = 137;

interface Ended {
  readonly bundle: Bundle;
  readonly daemons: ReadonlyMap<string, Daemon>;
  readonly shutdown: Shutdown | undefined;
  readonly at: number;
}

/** The exit code by the bundle's `exit_code` policy (DESIGN 6). */
export function decideExitCode({ bundle, daemons, shutdown, at }: Ended): Decision {
  if (shutdown?.fault === true) return { code: INTERNAL_ERROR, why: `internal error: ${shutdown.why}` };
  const outcomes = [...daemons].map(([name, daemon]) => ({ name, ...outcomeOf(daemon, at) }));
  const bad = outcomes.filter(({ code }) => code !== 0);
  const named = bundle.exit_code.startsWith('from:') ? bundle.exit_code.slice('from:'.length) : undefined;
  const decider =
    named !== undefined
      ? outcomes.find(({ name }) => name === named)
      : bundle.exit_code === 'first'
        ? bad.toSorted((a, b) => a.at - b.at)[0]
        : bad.toSorted((a, b) => b.code - a.code)[0];
  if (decider === undefined) return { code: 0, why: 'every daemon ended well' };
  return { code: decider.code, decidedBy: decider.name, why: decider.why };
}

function outcomeOf({ outcome, state }: Daemon, at: number): Outcome {
  if (isAlive(state)) return { code: SIGKILLED, at, why: 'it could not be ended, even by SIGKILL' };
  return outcome ?? { code: 0, at, why: 'it was not started' };
}
