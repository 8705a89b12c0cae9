import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Problem, problemOf } from '../../config/problem.ts';
import { readPlaces } from '../reports/places.ts';
import type { ReportPlaces } from '../reports/reporter.ts';

/** What the environment says. */
export interface Settings {
  /** `polis-policy.yaml`. Absolute. */
  readonly file: string;
  readonly listen: string;
  readonly port: number;
  /** On 127.0.0.1. */
  readonly metricsPort: number;
  /** Names by which clients may call the bridge, without a port. */
  readonly hosts: ReadonlySet<string>;
  /** The bearer token; undefined: none is asked for. */
  readonly token: string | undefined;
  /** Where secrets are files; undefined where there are none. */
  readonly credentials: string | undefined;
  readonly mostSessions: number;
  /** A session of which nothing was heard for so long, and that does not listen, ends. Milliseconds. */
  readonly sessionIdle: number;
  /** Files with fingerprints of the secrets of other daemons. */
  readonly knownSecrets: readonly string[];
  /** By which the operator is asked; undefined where nobody can be asked. */
  readonly reports: ReportPlaces | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

const OWN_HOSTS = ['localhost', '127.0.0.1', '[::1]', 'mcp-bridge'];
const HOST = /^(?:\[[\da-f:.]+\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/;
/** The file of the bearer token in `CREDENTIALS_DIRECTORY`. */
const TOKEN_FILE = 'MCP_BRIDGE_TOKEN';

/** Reads the settings out of the environment: all, or every fault. */
export function readSettings(
  variables: Variables,
): { readonly ok: true; readonly settings: Settings } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const number = (name: string, otherwise: number, most: number): number => {
    const text = variables[name] ?? '';
    if (text === '') return otherwise;
    if (/^\d{1,6}$/.test(text) && Number(text) <= most) return Number(text);
    problems.push(problemOf(name, `${JSON.stringify(text)} is not a number up to ${most}`));
    return otherwise;
  };
  const file = variables.MCP_BRIDGE_POLICY ?? '';
  if (!file.startsWith('/'))
    problems.push(problemOf('MCP_BRIDGE_POLICY', file === '' ? 'is not set' : 'is not an absolute path'));
  const more = (variables.MCP_BRIDGE_ALLOWED_HOSTS ?? '')
    .toLowerCase()
    .split(',')
    .filter((host) => host !== '');
  for (const host of more)
    if (!HOST.test(host))
      problems.push(problemOf('MCP_BRIDGE_ALLOWED_HOSTS', `${JSON.stringify(host)} is not a host name`));
  const credentials = variables.CREDENTIALS_DIRECTORY || undefined;
  const token = readToken(credentials, variables.MCP_BRIDGE_AUTH ?? 'auto', problems);
  const reports = readPlaces(variables, 'MCP_BRIDGE_REPORTS', 'MCP_BRIDGE_DECISIONS');
  problems.push(...reports.problems);
  const settings: Settings = {
    file,
    listen: variables.MCP_BRIDGE_LISTEN || '127.0.0.1',
    port: number('MCP_BRIDGE_PORT', 8090, 65_535),
    metricsPort: number('MCP_BRIDGE_METRICS_PORT', 8091, 65_535),
    hosts: new Set([...OWN_HOSTS, ...more]),
    token,
    credentials,
    mostSessions: Math.max(1, number('MCP_BRIDGE_MAX_SESSIONS', 2000, 100_000)),
    sessionIdle: Math.max(1, number('MCP_BRIDGE_SESSION_IDLE', 1800, 604_800)) * 1000,
    knownSecrets: (variables.MCP_BRIDGE_KNOWN_SECRETS ?? '').split(',').filter((file) => file !== ''),
    reports: reports.places,
  };
  return problems.length > 0 ? { ok: false, problems } : { ok: true, settings };
}

/** `required`: there must be one. `auto`: where the file is there, it must be sent. */
function readToken(credentials: string | undefined, auth: string, problems: Problem[]): string | undefined {
  if (auth !== 'auto' && auth !== 'required')
    problems.push(problemOf('MCP_BRIDGE_AUTH', 'is neither "auto" nor "required"'));
  const path = credentials === undefined ? undefined : join(credentials, TOKEN_FILE);
  let token: string | undefined;
  try {
    token = path === undefined ? undefined : readFileSync(path, 'utf8').trim();
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isAbsent) problems.push(problemOf(TOKEN_FILE, `the file cannot be read: ${String(error)}`));
  }
  if (token !== undefined && !/^[\x21-\x7e]{16,512}$/.test(token))
    problems.push(problemOf(TOKEN_FILE, 'is no token: 16 to 512 printable characters without a space'));
  if (token === undefined && auth === 'required')
    problems.push(
      problemOf(TOKEN_FILE, `there is no such file in $CREDENTIALS_DIRECTORY, and MCP_BRIDGE_AUTH is "required"`),
    );
  return token;
}
