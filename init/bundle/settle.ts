import { resolve } from 'node:path';
import type { TokenSource } from './control.ts';
import type { Surroundings } from './file-references.ts';
import type { Bundle, DaemonSpec, Healthcheck, Hook } from './schema.ts';

/** What a bundle that is valid in itself becomes where it is to run. */
export interface Place extends Pick<Surroundings, 'directory' | 'environment'> {
  readonly selected: ReadonlySet<string>;
  /** Variables of the `env_file`s, by daemon. */
  readonly variables: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/**
 * The bundle with nothing left to look up: only the selected daemons, absolute paths, `env_file`s merged into
 * `environment` (which wins), variables without a value taken from the init's environment or left out, and the number of
 * `restart: on-failure:n` in `backoff.max_attempts`, and `test: [NONE]` as `disable`. Secrets stay names and paths: their values are read at each spawn.
 */
export function settle(bundle: Bundle, place: Place): Bundle {
  const daemons = Object.entries(bundle.daemons).filter(([name]) => place.selected.has(name));
  return {
    ...bundle,
    exit_code: leavesOut(place, bundle.exit_code) ? 'worst' : bundle.exit_code,
    signals: Object.fromEntries(
      Object.entries(bundle.signals).map(([name, action]) => [
        name,
        {
          ...action,
          ...(action.signal === undefined ? {} : { signal: action.signal.filter((to) => place.selected.has(to)) }),
          ...(action.restart === undefined ? {} : { restart: action.restart.filter((to) => place.selected.has(to)) }),
        },
      ]),
    ),
    secrets: Object.fromEntries(
      Object.entries(bundle.secrets).map(([name, secret]) => [
        name,
        {
          ...secret,
          ...(secret.file === undefined ? {} : { file: resolve(place.directory, secret.file) }),
          ...(secret.directory ? { directory: resolve(place.directory, secret.directory) } : {}),
        },
      ]),
    ),
    control: settleControl(bundle.control, place),
    daemons: Object.fromEntries(daemons.map(([name, spec]) => [name, settleDaemon(name, spec, place)])),
  };
}

/** True where the exit code is that of a daemon which does not run. */
export function leavesOut({ selected }: Pick<Place, 'selected'>, exitCode: string): boolean {
  return exitCode.startsWith('from:') && !selected.has(exitCode.slice('from:'.length));
}

function settleControl(control: Bundle['control'], place: Place): Bundle['control'] {
  const { listen, read, tokens, audit } = control;
  const readToken = settleToken(tokens?.read, TOKEN_KEYS.read, place);
  const operateToken = settleToken(tokens?.operate, TOKEN_KEYS.operate, place);
  return {
    ...(control.hosts && { hosts: control.hosts }),
    ...(control.origins && { origins: control.origins }),
    ...((readToken || operateToken) && {
      tokens: { ...(readToken && { read: readToken }), ...(operateToken && { operate: operateToken }) },
    }),
    ...(listen ? { listen } : {}),
    ...(read === undefined
      ? {}
      : {
          read: {
            ...(read.path ? { path: resolve(place.directory, read.path) } : {}),
            ...(read.user ? { user: read.user } : {}),
          },
        }),
    ...(audit?.path ? { audit: { ...audit, path: resolve(place.directory, audit.path) } } : {}),
  };
}

/** Names of the tokens in Vault where the file says none: those that others of this kind use. */
const TOKEN_KEYS = { read: 'status_panel_token', operate: 'compose_agent_token' } as const;

/** Absolute paths and nothing left to guess; undefined where a variable left it empty. */
function settleToken(source: TokenSource | undefined, tokenKey: string, place: Place): TokenSource | undefined {
  if (source === undefined) return undefined;
  const { file, environment, vault, refresh } = source;
  if (file) return { refresh, file: resolve(place.directory, file) };
  if (environment) return { refresh, environment };
  if (!vault?.address) return undefined;
  const absolute = (path: string | undefined): string | undefined =>
    path ? resolve(place.directory, path) : undefined;
  const { ca, client_cert, client_key } = vault;
  const files = { ca: absolute(ca), client_cert: absolute(client_cert), client_key: absolute(client_key) };
  return {
    refresh,
    vault: {
      address: vault.address.replace(/\/+$/, ''),
      prefix: vault.prefix.replace(/^\/+|\/+$/g, ''),
      deployment_hash: vault.deployment_hash,
      token_key: vault.token_key || tokenKey,
      token: vault.token.file === undefined ? vault.token : { file: resolve(place.directory, vault.token.file) },
      ...(files.ca === undefined ? {} : { ca: files.ca }),
      ...(files.client_cert === undefined ? {} : { client_cert: files.client_cert }),
      ...(files.client_key === undefined ? {} : { client_key: files.client_key }),
    },
  };
}

function settleDaemon(name: string, { user, ...spec }: DaemonSpec, place: Place): DaemonSpec {
  const fromFiles = Object.fromEntries(place.variables.get(name) ?? []);
  const attempts = /^on-failure:(\d+)$/.exec(spec.restart)?.[1];
  return {
    ...spec,
    ...(user === undefined || user === '' ? {} : { user }),
    env_file: [],
    environment: { ...fromFiles, ...given(spec.environment, place) },
    working_dir: resolve(place.directory, spec.working_dir ?? '.'),
    data: spec.data
      .filter(({ path }) => path !== '')
      .map((entry) => ({ ...entry, path: resolve(place.directory, entry.path) })),
    config: spec.config.filter((path) => path !== '').map((path) => resolve(place.directory, path)),
    depends_on: Object.fromEntries(Object.entries(spec.depends_on).filter(([need]) => place.selected.has(need))),
    ...(spec.healthcheck === undefined ? {} : { healthcheck: settleHealthcheck(spec.healthcheck) }),
    backoff: attempts === undefined ? spec.backoff : { ...spec.backoff, max_attempts: Number(attempts) },
    post_start: spec.post_start.map((hook) => settleHook(hook, place)),
    pre_stop: spec.pre_stop.map((hook) => settleHook(hook, place)),
  };
}

/** Compose has two words for "no probe"; here it is one. */
function settleHealthcheck(check: Healthcheck): Healthcheck {
  return check.test?.[0] === 'NONE' ? { ...check, disable: true } : check;
}

function settleHook(hook: Hook, place: Place): Hook {
  const environment = given(hook.environment, place);
  if (hook.working_dir === undefined) return { ...hook, environment };
  return { ...hook, environment, working_dir: resolve(place.directory, hook.working_dir) };
}

/** The variables with a value, their own or the init's. */
function given(variables: Readonly<Record<string, string | null>>, { environment }: Place): Record<string, string> {
  const all: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    const found = value ?? environment[name];
    if (found !== undefined) all[name] = found;
  }
  return all;
}
