import { existsSync } from 'node:fs';
import { formatProblem } from '../config/problem.ts';
import { type LoadOptions, loadBundle } from '../init/bundle/load.ts';
import type { Bundle } from '../init/bundle/schema.ts';
import { EXIT } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { wrong } from './parse.ts';
import type { Verb } from './verb.ts';

const PLACES = ['bundle.yaml', '/etc/bottled/bundle.yaml'];

/** The bundle file that is meant: the one given, else the first of the usual places that is there. */
export function bundleFile(given: string | undefined): string {
  const file = given ?? PLACES.find((place) => existsSync(place));
  if (file !== undefined) return file;
  throw new Failure(
    EXIT.usage,
    `cannot find a bundle file: there is no ./bundle.yaml and no /etc/bottled/bundle.yaml; name one`,
  );
}

/** The bundle file of a verb that takes it as an argument and by `-f`; undefined where none is named. */
export function fileOf(verb: Verb, option: string | undefined, argument: string | undefined): string | undefined {
  if (option !== undefined && argument !== undefined) throw wrong(verb, 'names two bundle files');
  return option ?? argument;
}

/** What a bundle is loaded from; the daemons of `--only` where that is given (else the loader asks `$BOTTLED_DAEMONS`). */
export function loadOptions(file: string | undefined, only: string | undefined): LoadOptions {
  const names = namesOf(only);
  return { file: bundleFile(file), environment: process.env, ...(names !== undefined && { only: names }) };
}

/** The names in `a,b`. */
export function namesOf(only: string | undefined): readonly string[] | undefined {
  return only
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** All daemons of a bundle file, also those that are not selected here: their data is there nevertheless. Throws every problem. */
export async function wholeBundle(file: string | undefined): Promise<Bundle> {
  const { BOTTLED_DAEMONS: _, ...environment } = process.env;
  const loaded = await loadBundle({
    file: bundleFile(file),
    environment: { ...environment, BOTTLED_PROFILES: '*' },
    needsSecrets: false,
  });
  if (loaded.ok) return loaded.bundle;
  throw new Failure(EXIT.usage, loaded.problems.map(formatProblem).join('\n'));
}
