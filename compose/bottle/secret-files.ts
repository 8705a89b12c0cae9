import { type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { formatPath, type Problem, problemOf, quote } from '../../config/problem.ts';
import type { Bottle } from './schema.ts';

/**
 * What is to be said of the files of secrets, on the machine where the bottle is rendered; they may be made after that. `file` is that of the
 * bottle. Looks at them, reads none.
 */
export function* secretFileWarnings({ secrets }: Bottle, file: string): Generator<Problem> {
  for (const [name, { file: written }] of Object.entries(secrets)) {
    const fault = written === undefined ? undefined : faultOf(written, look(resolve(dirname(file), written)));
    if (fault === undefined) continue;
    yield { ...problemOf(file, ...fault), path: formatPath(['secrets', name, 'file']) };
  }
}

function faultOf(written: string, stats: Stats | undefined): readonly [message: string, hint?: string] | undefined {
  if (stats === undefined) return [`${quote(written)} is not there yet`, 'make it before the bottle is started'];
  if (!stats.isFile()) return [`${quote(written)} is not a file`];
  if ((stats.mode & 0o077) === 0) return undefined;
  const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
  return [`${quote(written)} can be read by others on this machine (mode ${mode})`, 'chmod 600'];
}

/** Undefined where it is not there, or this user cannot tell. */
function look(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
