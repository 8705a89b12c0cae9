import type { Bundle } from '../bundle/schema.ts';
import { checkPrivileges, readSources, withoutOwnUsers } from './privileges.ts';

/**
 * What of a bundle cannot be done on this machine, by this process: users that are missing, tools, rights. One line each, as
 * of a problem in the file; one that several daemons have is told once. Asked before anything is started, and not by `bottled
 * check`, which may run elsewhere.
 */
export function unfitHere(bundle: Bundle, file: string): readonly string[] {
  const daemonsOf = new Map<string, string[]>();
  for (const [name, spec] of Object.entries(bundle.daemons)) {
    for (const problem of checkPrivileges(spec)) {
      const daemons = daemonsOf.get(problem);
      if (daemons === undefined) daemonsOf.set(problem, [name]);
      else daemons.push(name);
    }
  }
  return [...daemonsOf].map(([problem, [first = '', ...others]]) =>
    others.length === 0
      ? `${file}: daemons.${first}.${problem}`
      : `${file}: daemons.${first}.${problem} (the same holds for ${others.join(', ')})`,
  );
}

/** What is done otherwise than the bundle file says, here and by this process; undefined where nothing is. */
export function concessionHere(bundle: Bundle): string | undefined {
  const names = withoutOwnUsers(bundle.daemons);
  if (names.length === 0) return undefined;
  const { uid } = readSources().standing;
  const verb = names.length === 1 ? 'runs' : 'run';
  return `the init is not root: ${names.join(', ')} ${verb} as its own user (uid ${uid}) instead of the one that the bundle file names, so daemons can read each other's secrets and data; for a user each, start the container as root`;
}
