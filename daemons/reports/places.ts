import { type Problem, problemOf } from '../../config/problem.ts';
import type { ReportPlaces } from './reporter.ts';

/**
 * Reads where reports go and decisions come from out of two variables: both or none. An empty variable counts as one that is not there.
 * `places` undefined: nobody can be asked.
 */
export function readPlaces(
  variables: Readonly<Record<string, string | undefined>>,
  spoolName: string,
  decisionsName: string,
): { readonly places: ReportPlaces | undefined; readonly problems: readonly Problem[] } {
  const [spool, decisions] = [variables[spoolName] ?? '', variables[decisionsName] ?? ''];
  if (spool === '' && decisions === '') return { places: undefined, problems: [] };
  const problems = [
    ...faultOf(spoolName, spool, `is not set, and ${decisionsName} is`),
    ...faultOf(decisionsName, decisions, `is not set, and ${spoolName} is`),
  ];
  return { places: problems.length === 0 ? { spool, decisions } : undefined, problems };
}

function faultOf(name: string, path: string, missing: string): readonly Problem[] {
  if (path === '') return [problemOf(name, missing)];
  return path.startsWith('/') ? [] : [problemOf(name, `${JSON.stringify(path)} is not an absolute path`)];
}
