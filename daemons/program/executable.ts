import { accessSync, constants, statSync } from 'node:fs';

/** Whether `path` is a file, or leads to one, that this process may execute (access(2), X_OK). */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
