import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The program to run: `given`, or the first `pipelock` on `path`. Undefined where there is none that may be executed. */
export function findBinary(given: string | undefined, path: string | undefined): string | undefined {
  if (given !== undefined) return isExecutable(given) ? given : undefined;
  const directories = (path ?? '').split(delimiter).filter((directory) => directory !== '');
  return directories.map((directory) => join(directory, 'pipelock')).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
