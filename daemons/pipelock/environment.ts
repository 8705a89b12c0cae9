import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';

/** An address to listen on. */
export interface Listen {
  /** An IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Which program does the work: the real one, the stand-in, or the real one where it is found. */
export type EngineChoice = 'auto' | 'pipelock' | 'embedded';

/** What the launcher is told by its environment; see docs/pipelock.md, "Settings". */
export interface LauncherSettings {
  readonly listen: Listen;
  readonly metrics: Listen;
  /** On 127.0.0.1; 0 takes any free port. */
  readonly healthPort: number;
  /** The routes.yaml of egress; its directory is watched. */
  readonly routesFile: string;
  /** Settings of our own; undefined: the defaults. */
  readonly settingsFile: string | undefined;
  /** Directory for the generated configuration. */
  readonly dataDirectory: string;
  readonly engine: EngineChoice;
  /** The program to run, where it is not looked for on PATH. */
  readonly binary: string | undefined;
  /** Files with fingerprints of the credentials of the bundle, for the stand-in. */
  readonly knownSecrets: readonly string[];
}

export type ReadEnvironment =
  | { readonly ok: true; readonly settings: LauncherSettings }
  | { readonly ok: false; readonly problems: readonly string[] };

type Environment = Readonly<Record<string, string | undefined>>;

const KNOWN = [
  'PIPELOCK_LISTEN',
  'PIPELOCK_ALLOW_REMOTE',
  'PIPELOCK_HEALTH_PORT',
  'PIPELOCK_METRICS_LISTEN',
  'PIPELOCK_ROUTES',
  'PIPELOCK_SETTINGS',
  'PIPELOCK_DATA',
  'PIPELOCK_ENGINE',
  'PIPELOCK_BINARY',
  'PIPELOCK_KNOWN_SECRETS',
];

/** Reads the settings from an environment. An empty variable counts as one that is not there. */
export function readEnvironment(environment: Environment): ReadEnvironment {
  const problems: string[] = [];
  const remote = environment.PIPELOCK_ALLOW_REMOTE === '1';
  const settings: LauncherSettings = {
    listen: listenOf(environment, 'PIPELOCK_LISTEN', '127.0.0.1:8888', remote, problems),
    metrics: listenOf(environment, 'PIPELOCK_METRICS_LISTEN', '127.0.0.1:9190', false, problems),
    healthPort: portOf(environment, 'PIPELOCK_HEALTH_PORT', '8889', problems),
    routesFile: pathOf(environment, 'PIPELOCK_ROUTES', 'the path of the routes.yaml of egress', problems),
    settingsFile: optional(environment, 'PIPELOCK_SETTINGS'),
    dataDirectory: pathOf(environment, 'PIPELOCK_DATA', 'a directory for the generated configuration', problems),
    engine: engineOf(environment, problems),
    binary: optional(environment, 'PIPELOCK_BINARY'),
    knownSecrets: (optional(environment, 'PIPELOCK_KNOWN_SECRETS') ?? '').split(',').filter((file) => file !== ''),
  };
  for (const [name, file] of [
    ['PIPELOCK_SETTINGS', settings.settingsFile],
    ['PIPELOCK_BINARY', settings.binary],
    ...settings.knownSecrets.map((path) => ['PIPELOCK_KNOWN_SECRETS', path] as const),
  ] as const) {
    if (file !== undefined && !isAbsolute(file)) problems.push(`${name}: ${file} is not an absolute path`);
  }
  const ports = [settings.listen.port, settings.metrics.port, settings.healthPort].filter((port) => port !== 0);
  if (new Set(ports).size < ports.length) {
    problems.push('PIPELOCK_LISTEN, PIPELOCK_METRICS_LISTEN and PIPELOCK_HEALTH_PORT: need a port of their own each');
  }
  for (const name of Object.keys(environment)) {
    if (name.startsWith('PIPELOCK_') && !KNOWN.includes(name)) {
      problems.push(`${name}: is not a setting of the launcher; the settings are ${KNOWN.join(', ')}`);
    }
  }
  return problems.length === 0 ? { ok: true, settings } : { ok: false, problems };
}

/** `127.0.0.1:8888` or `[::1]:8888`. */
export function formatListen({ host, port }: Listen): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reads what {@link formatListen} writes; undefined where it is nothing of the kind. */
export function parseListen(text: string): Listen | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || isIP(host) === 0 || port > 65535 ? undefined : { host, port };
}

function listenOf(
  environment: Environment,
  name: string,
  fallback: string,
  remote: boolean,
  problems: string[],
): Listen {
  const text = optional(environment, name) ?? fallback;
  const listen = parseListen(text);
  if (listen === undefined) {
    problems.push(`${name}: ${text} is not an address with a port, e.g. ${fallback}`);
    return { host: '127.0.0.1', port: 0 };
  }
  if (!remote && !isLoopback(listen.host)) {
    const way = name === 'PIPELOCK_LISTEN' ? '; set PIPELOCK_ALLOW_REMOTE=1 if that is meant' : '';
    problems.push(`${name}: ${listen.host} can be reached from outside, so that an agent could go around egress${way}`);
  }
  return listen;
}

function isLoopback(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function portOf(environment: Environment, name: string, fallback: string, problems: string[]): number {
  const text = optional(environment, name) ?? fallback;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  problems.push(`${name}: ${text} is not a port from 0 to 65535`);
  return 0;
}

function pathOf(environment: Environment, name: string, what: string, problems: string[]): string {
  const path = optional(environment, name);
  if (path === undefined) problems.push(`${name}: is not set; it must be ${what}`);
  else if (!isAbsolute(path)) problems.push(`${name}: ${path} is not an absolute path`);
  return path ?? '';
}

function engineOf(environment: Environment, problems: string[]): EngineChoice {
  const engine = optional(environment, 'PIPELOCK_ENGINE') ?? 'auto';
  if (engine === 'auto' || engine === 'pipelock' || engine === 'embedded') return engine;
  problems.push(`PIPELOCK_ENGINE: ${engine} is not one of auto, pipelock, embedded`);
  return 'auto';
}

function optional(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}
