import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { parseDuration } from '../../config/duration.ts';
import { formatProblem } from '../../config/problem.ts';
import { readPlaces } from '../reports/places.ts';
import type { ReportPlaces } from '../reports/reporter.ts';

/** What the egress daemon is told by its environment; see docs/egress.md, "Settings". */
export interface Settings {
  readonly listen: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Absolute path of routes.yaml. Its directory is watched. */
  readonly routesFile: string;
  /** Absolute path of the directory that keeps the certificate authority. */
  readonly dataDirectory: string;
  /** Where the certificate, and nothing else, is put for agents to mount; undefined where nobody asked for it. */
  readonly certificateDirectory: string | undefined;
  /** The proxy behind egress: plain HTTP on loopback, and nothing else. */
  readonly upstream: URL;
  /** On 127.0.0.1; 0 takes any free port. */
  readonly metricsPort: number;
  /** Where the fingerprints of the credentials are written for the daemons that scan; undefined where none asked for them. */
  readonly knownSecretsFile: string | undefined;
  /** The same for pipelock: without the credentials that the operator lets pass somewhere. */
  readonly pipelockSecretsFile: string | undefined;
  /** Where credentials lie as files. */
  readonly credentialsDirectory: string | undefined;
  /** By which the operator is asked about credentials on their way out; undefined where nobody can be asked. */
  readonly reports: ReportPlaces | undefined;
  /** How long a request waits for the operator. Milliseconds. */
  readonly hold_ms: number;
  /** Credentials given as `EGRESS_TOKEN_*`, and the canary as `CANARY`. */
  readonly given: ReadonlyMap<string, string>;
}

/** Settings, or every problem with them as one line each. */
export type ReadSettings =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A name that a credential can have, in the environment and as a file. */
export const TOKEN_NAME = /^EGRESS_TOKEN_[A-Z0-9_]{1,64}$/;

/** The canary, by the name of its file; in the environment it is `EGRESS_CANARY`. */
export const CANARY_NAME = 'CANARY';

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the settings from an environment. An empty variable counts as one that is not there. */
export function readSettings(environment: Environment): ReadSettings {
  const problems: string[] = [];
  const reports = readPlaces(environment, 'EGRESS_REPORTS', 'EGRESS_DECISIONS');
  problems.push(...reports.problems.map(formatProblem));
  const settings: Settings = {
    listen: listenAddress(environment, problems),
    port: portOf(environment, 'EGRESS_PORT', 9099, problems),
    routesFile: requiredPath(environment, 'EGRESS_ROUTES', 'the path of routes.yaml', problems),
    dataDirectory: requiredPath(
      environment,
      'EGRESS_DATA',
      'the directory that keeps the certificate authority',
      problems,
    ),
    certificateDirectory: optionalPath(environment, 'EGRESS_CERTIFICATE_DIRECTORY', problems),
    upstream: upstreamOf(environment, problems),
    metricsPort: portOf(environment, 'EGRESS_METRICS_PORT', 9098, problems),
    knownSecretsFile: optionalPath(environment, 'EGRESS_KNOWN_SECRETS', problems),
    pipelockSecretsFile: optionalPath(environment, 'EGRESS_PIPELOCK_SECRETS', problems),
    credentialsDirectory: optionalPath(environment, 'CREDENTIALS_DIRECTORY', problems),
    reports: reports.places,
    hold_ms: holdOf(environment, problems),
    given: givenCredentials(environment, problems),
  };
  if (settings.port !== 0 && settings.port === settings.metricsPort) {
    problems.push(`EGRESS_METRICS_PORT: ${settings.port} is the port of the proxy too; give it another`);
  }
  return problems.length === 0 ? { ok: true, settings } : { ok: false, problems };
}

/** Takes every `EGRESS_*` variable out of the environment, so that nothing that is started or printed later can tell of one. */
export function scrubEnvironment(environment: Record<string, string | undefined>): void {
  for (const name of Object.keys(environment)) {
    if (name.startsWith('EGRESS_')) delete environment[name];
  }
}

/** What is wrong with the value of a secret, as the end of a sentence; undefined where nothing is. */
export function secretFault(value: string): string | undefined {
  if (value === '') return 'is empty';
  if (!PRINTABLE.test(value))
    return 'holds a line break, a control character or one beyond ASCII, which cannot stand in a header';
  return undefined;
}

/** What can stand in a header without any doubt about its meaning (RFC 9110, 5.5). */
const PRINTABLE = /^[\x20-\x7e]+$/;

function listenAddress(environment: Environment, problems: string[]): string {
  const value = environment.EGRESS_LISTEN || '::';
  if (isIP(value) === 0) problems.push(`EGRESS_LISTEN: "${value}" is not an IP address; for all of them give "::"`);
  return value;
}

function portOf(environment: Environment, name: string, fallback: number, problems: string[]): number {
  const value = environment[name];
  if (value === undefined || value === '') return fallback;
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return Number(value);
  problems.push(`${name}: "${value}" is not a port; give a number from 0 (any free one) to 65535`);
  return fallback;
}

const DEFAULT_HOLD_MS = 300_000;
const LONGEST_HOLD_MS = 900_000;

function holdOf(environment: Environment, problems: string[]): number {
  const value = environment.EGRESS_HOLD;
  if (value === undefined || value === '') return DEFAULT_HOLD_MS;
  const hold_ms = parseDuration(value);
  if (hold_ms !== undefined && hold_ms <= LONGEST_HOLD_MS) return hold_ms;
  problems.push(`EGRESS_HOLD: "${value}" is not a duration of at most 15m; write e.g. "300s"`);
  return DEFAULT_HOLD_MS;
}

function requiredPath(environment: Environment, name: string, what: string, problems: string[]): string {
  const path = optionalPath(environment, name, problems);
  if (path === undefined && !environment[name]) problems.push(`${name}: is not set; give ${what}`);
  return path ?? '';
}

function optionalPath(environment: Environment, name: string, problems: string[]): string | undefined {
  const value = environment[name];
  if (value === undefined || value === '') return undefined;
  if (isAbsolute(value)) return value;
  problems.push(`${name}: "${value}" is not an absolute path; begin it with /`);
  return undefined;
}

const PIPELOCK = 'http://127.0.0.1:8888';

function upstreamOf(environment: Environment, problems: string[]): URL {
  const value = environment.EGRESS_UPSTREAM_PROXY || PIPELOCK;
  const fault = upstreamFault(value);
  if (fault === undefined) return new URL(value);
  problems.push(`EGRESS_UPSTREAM_PROXY: ${fault}; give the address of pipelock, e.g. ${PIPELOCK}`);
  return new URL(PIPELOCK);
}

/** What egress sends there is the agent's traffic in the clear, with credentials in it: it must not leave this machine. */
function upstreamFault(value: string): string | undefined {
  const url = URL.parse(value);
  if (url === null) return 'is not a URL';
  if (url.username !== '' || url.password !== '') return 'holds a user name or password, and pipelock asks for none';
  if (url.protocol !== 'http:') return `"${value}" is not plain http`;
  if (!isLoopback(url.hostname)) return `"${value}" is not on loopback, where requests would be readable on the way`;
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return `"${value}" holds more than a host and a port`;
  return undefined;
}

function isLoopback(hostname: string): boolean {
  return hostname === '[::1]' || hostname === 'localhost' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}

function givenCredentials(environment: Environment, problems: string[]): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value === '') continue;
    const credential = name === 'EGRESS_CANARY' ? CANARY_NAME : name.startsWith('EGRESS_TOKEN_') ? name : undefined;
    if (credential === undefined) continue;
    const fault = credential === CANARY_NAME || TOKEN_NAME.test(name) ? secretFault(value) : NAME_FAULT;
    if (fault === undefined) given.set(credential, value);
    else problems.push(`${name}: ${fault}`);
  }
  return given;
}

/** Ends the sentence about a credential whose name cannot stand in `token_env`. */
export const NAME_FAULT = 'is not a name for a credential: after EGRESS_TOKEN_ come 1 to 64 of A-Z, 0-9 and _';
