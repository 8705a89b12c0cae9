import type { Command, ControlPlane } from '../../init/lifecycle/event.ts';
import type { SignalName } from '../../init/posix/signal-names.ts';
import { type Draft, decodeDraft, editedDraft } from './bundles.ts';
import type { Clock, Happening } from './processes.ts';
import type { Random } from './random.ts';

/** The people and programs around the bundle: they command, edit the file, send signals, and end it at last. */
export interface Operators {
  /** What the init finds when it reads the bundle file; undefined: an invalid file, which it keeps to itself. */
  readBundle(plane: ControlPlane): Happening | undefined;
}

const PLANES: readonly ControlPlane[] = ['cli', 'http', 'mcp', 'web'];
/** Each bundle gets its last SIGTERM by then, ms. */
const HORIZON = 90_000;

/** Draws everything that comes from outside, ahead of the run. */
export function createOperators(random: Random, { after }: Clock, first: Draft): Operators {
  let draft = first;
  const readBundle = (plane: ControlPlane): Happening | undefined => {
    if (random.chance(0.2)) return undefined;
    draft = editedDraft(random, draft);
    return { type: 'reload', bundle: decodeDraft(draft), plane };
  };
  const horizon = random.int(2_000, random.chance(0.5) ? 15_000 : HORIZON);
  const busy = random.pick([0, 3, 8, 20]);
  for (let count = 0; count < busy; count++) {
    after(momentWithin(random, horizon), () => {
      const kind = random.weighted({ command: 12, reload: 2, signal: 2, fault: 0.1, end: 0.3 });
      if (kind === 'command') return randomRequest(random, draft);
      if (kind === 'reload') return readBundle(random.pick(PLANES));
      if (kind === 'signal')
        return { type: 'signal', signal: random.pick<SignalName>(['SIGHUP', 'SIGUSR1', 'SIGUSR2']) };
      if (kind === 'fault') return { type: 'fault', detail: 'unhandled rejection' };
      return { type: 'signal', signal: random.pick<SignalName>(['SIGTERM', 'SIGINT', 'SIGQUIT']) };
    });
  }
  const endAt = random.chance(0.05) ? 0 : horizon;
  after(endAt, () => ({
    type: 'signal',
    signal: random.pick<SignalName>(['SIGTERM', 'SIGTERM', 'SIGINT', 'SIGQUIT']),
  }));
  const impatience = random.weighted({ none: 6, second: 2, meddling: 2 });
  if (impatience === 'second') {
    after(endAt + random.int(0, 3_000), () => ({
      type: 'signal',
      signal: random.pick<SignalName>(['SIGTERM', 'SIGINT', 'SIGQUIT']),
    }));
  } else if (impatience === 'meddling') {
    for (let count = 0; count < 4; count++) {
      after(endAt + random.int(0, 1_500), () =>
        random.chance(0.7) ? randomRequest(random, draft) : readBundle(random.pick(PLANES)),
      );
    }
  }
  return { readBundle };
}

function randomRequest(random: Random, draft: Draft): Happening {
  const daemon = random.chance(0.02) ? 'nobody' : random.pick(Object.keys(draft.daemons));
  return { type: 'command', daemon, command: randomCommand(random), plane: random.pick(PLANES) };
}

function randomCommand(random: Random): Command {
  const kind = random.weighted({ start: 4, stop: 4, restart: 4, signal: 1.5 });
  if (kind !== 'signal') return { do: kind };
  return { do: 'signal', signal: random.pick<SignalName>(['SIGHUP', 'SIGUSR2', 'SIGTERM', 'SIGKILL']) };
}

/** Half of all moments are in the first seconds, where most happens; some come in bursts of the same time. */
function momentWithin(random: Random, horizon: number): number {
  if (random.chance(0.15)) return Math.floor(horizon / 3);
  return random.int(0, random.chance(0.5) ? Math.min(horizon, 5_000) : horizon);
}
