import { type Problem, problemOf } from '../../config/problem.ts';
import { readPlaces } from '../reports/places.ts';
import type { ReportPlaces } from '../reports/reporter.ts';

/** What the environment says. */
export interface Settings {
  /** `git-gate.yaml`. */
  readonly file: string;
  /** Mirrors live here, and are kept. Absolute. */
  readonly data: string;
  readonly listen: string;
  readonly httpPort: number;
  /** Undefined: no git://. */
  readonly gitPort: number | undefined;
  /** Files with fingerprints of the credentials that the bundle holds. */
  readonly knownSecrets: readonly string[];
  /** Where secrets are files. Undefined where there are none. */
  readonly credentials: string | undefined;
  /** The search path for git and ssh. */
  readonly path: string;
  /** A PEM file with the certificate authorities to trust; undefined: those of the system. */
  readonly caFile: string | undefined;
  /** By which the operator is asked about findings; undefined where nobody can be asked. */
  readonly reports: ReportPlaces | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Reads the settings out of the environment: all, or every fault. */
export function readSettings(
  variables: Variables,
): { readonly ok: true; readonly settings: Settings } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const required = (name: string): string => {
    const value = variables[name] ?? '';
    if (value === '') problems.push(problemOf(name, 'is not set'));
    else if (!value.startsWith('/')) problems.push(problemOf(name, 'is not an absolute path'));
    else if (UNUSABLE.test(value))
      problems.push(problemOf(name, 'has a quote, a backslash or a control character in it'));
    return value;
  };
  const port = (name: string, otherwise: number): number => {
    const text = variables[name] ?? '';
    if (text === '') return otherwise;
    if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
    problems.push(problemOf(name, `${JSON.stringify(text)} is not a port`));
    return otherwise;
  };
  const places = readPlaces(variables, 'GIT_GATE_REPORTS', 'GIT_GATE_DECISIONS');
  problems.push(...places.problems);
  const gitPort = port('GIT_GATE_GIT_PORT', 9418);
  const credentials = variables.CREDENTIALS_DIRECTORY ?? '';
  const settings: Settings = {
    file: required('GIT_GATE_SETTINGS'),
    data: required('GIT_GATE_DATA'),
    listen: variables.GIT_GATE_LISTEN || '::',
    httpPort: port('GIT_GATE_HTTP_PORT', 9420),
    gitPort: gitPort === 0 ? undefined : gitPort,
    knownSecrets: (variables.GIT_GATE_KNOWN_SECRETS ?? '').split(',').filter((file) => file !== ''),
    credentials: credentials === '' ? undefined : required('CREDENTIALS_DIRECTORY'),
    path: variables.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    caFile: variables.SSL_CERT_FILE || undefined,
    reports: places.places,
  };
  return problems.length > 0 ? { ok: false, problems } : { ok: true, settings };
}

/** These paths are written into files of ssh, which has no way to quote them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const UNUSABLE = /["'\\\u0000-\u001f\u007f]/;
