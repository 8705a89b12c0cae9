import type { Bundle } from '../../init/bundle/schema.ts';
import type { ArchivedPlace, Contents, Entry } from '../archive/contents.ts';
import { isWithin, placesOf } from '../places.ts';
import { isInUse, isMountPoint, type Standing, standingOf } from './standing.ts';

/** One place of an archive, and what a restore does with it. */
export interface Step {
  readonly place: ArchivedPlace;
  /** Where this bundle has it; undefined where it has no such place. */
  readonly target: string | undefined;
  readonly entries: readonly Entry[];
  /** Undefined where it is not looked at: left as it is. */
  readonly standing: Standing | undefined;
}

export interface Choice {
  readonly config: boolean;
  readonly secrets: boolean;
}

/** What restoring an archive into a bundle comes to. Throws one line where a target cannot be read. */
export async function planOf(contents: Contents, bundle: Bundle, choice: Choice): Promise<readonly Step[]> {
  const { taken, apart } = placesOf(bundle, { reproducible: true, secrets: true });
  const targets = new Map(taken.map(({ id, path }) => [id, path]));
  const steps: Step[] = [];
  for (const place of contents.places) {
    const entries = contents.entries.filter((entry) => entry.place === place.id);
    const target = targets.get(place.id);
    const isWanted = (place.kind !== 'config' || choice.config) && (place.kind !== 'secret' || choice.secrets);
    const found = target === undefined || !isWanted ? undefined : await standingOf(target, entries, apart);
    // Configuration that is there already belongs to who has rendered it.
    const standing = found === 'alike' && place.kind === 'config' ? 'same' : found;
    steps.push({ place, target, entries, standing });
  }
  return steps.map((step) => withWhatIsAround(step, steps));
}

/** What lies in a place that is replaced goes aside with it, and is to come back with it, too. */
function withWhatIsAround(step: Step, steps: readonly Step[]): Step {
  if (step.standing === undefined) return step;
  const around = steps.find(
    ({ target, standing }) => isToWrite(standing) && target !== step.target && isWithin(step.target, target),
  );
  return around === undefined ? step : { ...step, standing: around.standing };
}

/** Why it must not be carried out, and what to do; undefined where nothing speaks against it. */
export function objectionTo(steps: readonly Step[], force: boolean): string | undefined {
  const homeless = steps.find(({ target }) => target === undefined);
  if (homeless !== undefined) {
    const { id, path } = homeless.place;
    return `the archive holds ${id} (${path} when it was made), and the bundle file has no such path; name the bundle file that it was made with by -f FILE`;
  }
  const busy = steps.find(({ target }) => target !== undefined && isInUse(target));
  if (busy !== undefined) return `a daemon uses ${busy.target}; stop the bundle first`;
  const mounted = steps.find(
    ({ target, standing }) => isToWrite(standing) && target !== undefined && isMountPoint(target),
  );
  if (mounted !== undefined) {
    return `${mounted.target} is a mount point, which cannot be replaced; mount what is above it, as BOTTLED_DATA or BOTTLED_CONFIG`;
  }
  const taken = steps.filter(({ standing }) => standing === 'other').map(({ target }) => target);
  if (taken.length > 0 && !force) {
    return `there is something else in ${taken.join(', ')}; nothing was changed. Look at it, then move it away, or say --force to have it moved aside`;
  }
  return undefined;
}

/** True for what a restore writes. */
export function isToWrite(standing: Standing | undefined): boolean {
  return standing === 'free' || standing === 'other';
}
