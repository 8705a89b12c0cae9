import type { Bundle } from '../init/bundle/schema.ts';
import type { Contents } from './archive/contents.ts';
import { type Archive, readArchive } from './archive/read.ts';
import { type CarriedOut, carryOut, putRight, type Writing } from './restore/carry-out.ts';
import { type Choice, isToWrite, objectionTo, planOf, type Step } from './restore/plan.ts';

export interface RestoreOptions extends Choice {
  /** What stands in the way is moved aside. */
  readonly force: boolean;
  readonly now: Date;
  readonly tell: (progress: string) => void;
}

/** What a restore would do, or why it would not. */
export interface RestorePlan {
  readonly contents: Contents;
  readonly steps: readonly Step[];
  readonly objection: string | undefined;
}

/** Reads and checks the whole archive, and looks at where it would go. Changes nothing. Throws one line. */
export async function planRestore(archive: Archive, bundle: Bundle, options: RestoreOptions): Promise<RestorePlan> {
  options.tell('checking the archive');
  const contents = await readArchive(archive);
  const steps = await planOf(contents, bundle, options);
  return { contents, steps, objection: objectionTo(steps, options.force) };
}

/** Does what a plan without an objection says. Throws one line; nothing is lost then, and it can be run again. */
export async function restore(archive: Archive, { steps }: RestorePlan, options: RestoreOptions): Promise<CarriedOut> {
  options.tell('unpacking');
  const done = await carryOut(archive, steps.filter(isWriting), options.now);
  for (const step of steps) if (hasTarget(step) && step.standing === 'alike') putRight(step);
  return done;
}

function hasTarget(step: Step): step is Writing {
  return step.target !== undefined;
}

/** True for a step that has something to write. */
export function isWriting(step: Step): step is Writing {
  return hasTarget(step) && isToWrite(step.standing);
}
