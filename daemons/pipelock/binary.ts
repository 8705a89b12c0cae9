import { delimiter, join } from 'node:path';
import { isExecutable } from '../program/executable.ts';

/** The program to run: `given`, or the first `pipelock` on `path`. Undefined where there is none that may be executed. */
export function findBinary(given: string | undefined, path: string | undefined): string | undefined {
  if (given !== undefined) return isExecutable(given) ? given : undefined;
  const directories = (path ?? '').split(delimiter).filter((directory) => directory !== '');
  return directories.map((directory) => join(directory, 'pipelock')).find(isExecutable);
}
