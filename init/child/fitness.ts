import type { Bundle } from '../bundle/schema.ts';
import { checkPrivileges } from './privileges.ts';

/**
 * What of a bundle cannot be done on this machine, by this process: users that are missing, tools, rights. One line each, as
 * of a problem in the file. Asked before anything is started, and not by `bottled check`, which may run elsewhere.
 */
export function unfitHere(bundle: Bundle, file: string): readonly string[] {
  return Object.entries(bundle.daemons).flatMap(([name, spec]) =>
    checkPrivileges(spec).map((problem) => `${file}: daemons.${name}.${problem}`),
  );
}
