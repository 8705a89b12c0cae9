import type { Entry } from '../../config/node.ts';
import { didYouMean, type Problem, problemOf, quote, quoteAll } from '../../config/problem.ts';
import type { Variables } from './interpolate.ts';
import { dependenciesOf, profilesOf } from './references.ts';

/** The daemons that are to run, as the operator and the profiles say, and what is wrong with that choice. */
export interface Selection {
  readonly names: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** What the operator asked for: daemons by name, with the option or variable that named them. */
export interface Wish {
  readonly source: '--only' | 'BOTTLED_DAEMONS';
  readonly names: readonly string[];
}

/** `--only` where it is given, else `BOTTLED_DAEMONS` where that is not blank, else nothing: all daemons. */
export function wishOf(only: readonly string[] | undefined, environment: Variables): Wish | undefined {
  if (only !== undefined) return { source: '--only', names: only.map((name) => name.trim()).filter(Boolean) };
  const { BOTTLED_DAEMONS: named } = environment;
  if (named === undefined || named.trim() === '') return undefined;
  return { source: 'BOTTLED_DAEMONS', names: listed(named) };
}

/** The daemons wished for; without a wish, those without profiles or with an active one. A wish must name all it needs. */
export function select(daemons: readonly Entry[], wish: Wish | undefined, environment: Variables): Selection {
  const known = new Map(daemons.map((entry) => [entry.key, entry]));
  const active = activeProfiles(environment);
  const wished = wish === undefined ? undefined : new Set(wish.names);
  const chosen = daemons.filter((entry) => wished?.has(entry.key) ?? isActive(profilesOf(entry), active));
  const names = new Set(chosen.map((entry) => entry.key));
  const problems = wish === undefined ? [] : wishProblems(wish, [...known.keys()]);
  if (problems.length > 0) return { names, problems };
  if (chosen.length === 0 && daemons.length > 0) return { names, problems: [nothingActive(daemons)] };
  return { names, problems: chosen.flatMap((entry) => missingNeeds(entry, known, names, wish)) };
}

function wishProblems(wish: Wish, known: readonly string[]): readonly Problem[] {
  const listing = `known are ${quoteAll(known)}`;
  if (wish.names.length === 0) return [problemOf(wish.source, 'names no daemon', listing)];
  return wish.names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const hint = [didYouMean(name, known), listing].filter((part) => part !== undefined).join(' ');
      return problemOf(wish.source, `${quote(name)} is no daemon of this bundle`, hint);
    });
}

function nothingActive(daemons: readonly Entry[]): Problem {
  const profiles = new Set(daemons.flatMap(profilesOf));
  return problemOf(PROFILES, 'no daemon is active', `set it to one or more of ${quoteAll(profiles)}`);
}

function missingNeeds(
  daemon: Entry,
  known: ReadonlyMap<string, Entry>,
  selected: ReadonlySet<string>,
  wish: Wish | undefined,
): readonly Problem[] {
  return dependenciesOf(daemon).flatMap(({ name, required }) => {
    const need = known.get(name);
    if (!required || need === undefined || selected.has(name)) return [];
    const dependence = `${quote(daemon.key)} depends on ${quote(name)}`;
    if (wish !== undefined) return [problemOf(wish.source, `${dependence}, which it leaves out`, `add ${name}`)];
    const hint = `set it to one or more of ${quoteAll(profilesOf(need))}, or write required: false`;
    return [problemOf(PROFILES, `${dependence}, whose profiles are not active`, hint)];
  });
}

const PROFILES = 'BOTTLED_PROFILES';

function isActive(profiles: readonly string[], active: ReadonlySet<string>): boolean {
  return profiles.length === 0 || active.has('*') || profiles.some((profile) => active.has(profile));
}

function activeProfiles({ BOTTLED_PROFILES, COMPOSE_PROFILES }: Variables): ReadonlySet<string> {
  return new Set([...listed(BOTTLED_PROFILES ?? ''), ...listed(COMPOSE_PROFILES ?? '')]);
}

function listed(text: string): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
