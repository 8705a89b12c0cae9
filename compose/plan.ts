import { posix } from 'node:path';
import { stringify } from 'yaml';
import { formatDuration } from '../config/duration.ts';
import { agentVariables } from './agent-environment.ts';
import type { Bottle } from './bottle/schema.ts';
import { secretUsesOf } from './bottle/secret-uses.ts';
import { type DaemonName, daemonsOf } from './daemons.ts';
import { grantedSections, modelVariables, opinionSettings, withMock } from './model/grants.ts';

export { DAEMONS, type DaemonName, USERS } from './daemons.ts';

/**
 * What a bottle is made of, before any engine's words: which daemons run in which containers, what each container is told, and which files and secrets it
 * gets. Renderers turn a plan into the words of their engine and decide nothing about what is allowed.
 */

/** `bundle`: one container with all daemons. `split`: the legacy shape, one container a daemon, in one network namespace. */
export type Layout = 'bundle' | 'split';

/** One secret, as a file that only root of the container can read; the init hands it to the daemon's user. */
export interface MountedSecret {
  /** Its name in `bottle.yaml`. */
  readonly name: string;
  readonly daemon: DaemonName;
  /** `/run/secrets/<daemon>/<name>`. */
  readonly path: string;
}

/** One container that runs the init. */
export interface SidecarPlan {
  /** Name of its service: `sidecars`, or that of its one daemon. */
  readonly service: string;
  /** Never empty. */
  readonly daemons: readonly DaemonName[];
  /** Sorted by name. Holds no credential. */
  readonly environment: ReadonlyMap<string, string>;
  readonly secrets: readonly MountedSecret[];
}

/** The container of the agent. */
export interface AgentPlan {
  /** What bottle.yaml says, then proxy, certificate and git variables; sorted by name. Holds no credential. */
  readonly environment: ReadonlyMap<string, string>;
}

export interface BottlePlan {
  readonly bottle: Bottle;
  readonly layout: Layout;
  /** Those that the bottle uses; egress and pipelock always. */
  readonly daemons: readonly DaemonName[];
  readonly sidecars: readonly SidecarPlan[];
  readonly agent: AgentPlan;
  /** The daemons' own files by name, e.g. `routes.yaml`: the directory that is mounted at `/etc/bottled`. */
  readonly files: ReadonlyMap<string, string>;
  /** The directory of bottle.yaml as seen from where the rendered files go: what relative paths of the bottle count from. */
  readonly directory: string;
  /** Sentences for the one who renders: what is allowed but hardly meant. */
  readonly warnings: readonly string[];
}

/** What the sections of a bottle say as they are written, for the daemons' own files: without defaults, so that they stay short. */
export type WrittenBottle = Readonly<Record<string, unknown>>;

export interface PlanOptions {
  readonly layout: Layout;
  /** See {@link BottlePlan.directory}. Default ".". */
  readonly directory?: string;
  /** Puts the mock in place of the bottle's model, where it has one. */
  readonly mock?: boolean;
}

/** Where things are in every container of a bottle. */
export const PATHS = {
  config: '/etc/bottled',
  data: '/var/lib/bottled',
  secrets: '/run/secrets',
  /** The certificate of egress, and nothing else of it: written by egress, mounted read-only into the agent. */
  authority: '/var/lib/bottled-ca',
  /** In the container of the agent. */
  agentAuthority: '/etc/bottled-ca',
  /** Where the engine's socket is mounted for mcp-bridge. */
  dockerSocket: '/var/run/docker.sock',
} as const;

/** Port of the init's `/livez`, `/readyz` and `/healthz`, where an engine asks over the network. */
export const HEALTH_PORT = 9180;

/** The longest that the bundle takes to end by its own `stop_grace_period` of 8 s, and some more. */
export const SIDECARS_STOP_GRACE_PERIOD = '12s';

/**
 * What the init needs of root's capabilities, and nothing more: to give directories and secrets to the daemons' users (CHOWN), to reach
 * files of the host's users (DAC_OVERRIDE), to start daemons as their users (SETGID, SETUID) and to end them (KILL).
 */
export const SIDECAR_CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'KILL', 'SETGID', 'SETUID'] as const;

/** The plan of a bottle. Pure: the same bottle, the same plan. */
export function planOf(asWritten: Bottle, written: WrittenBottle, options: PlanOptions): BottlePlan {
  const { layout, directory = '.', mock = false } = options;
  const bottle = withMock(asWritten, mock);
  const daemons = daemonsOf(bottle);
  const environment = sortedMap([
    ...modelVariables(bottle),
    ...Object.entries(bottle.agent.environment),
    ...agentVariables(bottle),
  ]);
  return {
    bottle,
    layout,
    daemons,
    sidecars:
      layout === 'bundle'
        ? [sidecarOf(bottle, 'sidecars', daemons, [])]
        : daemons.map((daemon) => sidecarOf(bottle, daemon, [daemon], splitSettings(daemon))),
    agent: { environment },
    files: filesOf(bottle, written, daemons),
    directory,
    warnings: layout === 'split' ? [LEGACY] : [],
  };
}

/** A path of the bottle as seen from where the rendered files go; absolute paths stay. Begins with "/", "./" or "../". */
export function fromOutput({ directory }: Pick<BottlePlan, 'directory'>, path: string): string {
  if (path.startsWith('/')) return path;
  const joined = posix.join(directory, path);
  return /^(\.\.?)?\//.test(joined) || joined === '..' ? joined : `./${joined}`;
}

/** The engine's socket, where a tool needs it and the bottle gives it; undefined where not both. */
export function dockerSocketOf({ sidecars, mcp }: Bottle): Bottle['sidecars']['docker_socket'] {
  return (mcp?.tools ?? []).some(({ driver }) => driver === 'local-docker') ? sidecars.docker_socket : undefined;
}

/** The line of other generations of this layout, which people look for in logs, and what it means here. */
const LEGACY =
  'compose_agent=false - running in legacy mode: one container a daemon. It is the way from five services to two and back; what it lacks is in docs/compose.md';

/** Each init says that it runs in the legacy layout, and keeps an audit trail of its own in the volume that all share. */
function splitSettings(daemon: DaemonName): [string, string][] {
  return [
    ['BOTTLED_LAYOUT', 'split'],
    ['BOTTLED_AUDIT', `${PATHS.data}/init/${daemon}.jsonl`],
  ];
}

function sidecarOf(
  bottle: Bottle,
  service: string,
  daemons: readonly DaemonName[],
  settings: readonly [string, string][],
): SidecarPlan {
  return {
    service,
    daemons,
    environment: sortedMap([
      ...Object.entries(bottle.sidecars.environment),
      ['BOTTLED_DAEMONS', [...daemons, ...probesOf(bottle, daemons)].join(',')],
      ...settings,
      ...daemons.flatMap((daemon) => settingsOf(daemon, bottle)),
    ]),
    secrets: secretUsesOf(bottle)
      .filter(({ daemon }) => daemons.includes(daemon))
      .map(({ name, daemon }) => ({ name, daemon, path: `${PATHS.secrets}/${daemon}/${name}` })),
  };
}

/** What a bundle only asks after: the model server is probed where egress is, which leads there. */
function probesOf({ model }: Bottle, daemons: readonly DaemonName[]): readonly string[] {
  return model !== undefined && daemons.includes('egress') ? ['model'] : [];
}

/** What one daemon is told beside its file. */
function settingsOf(daemon: DaemonName, bottle: Bottle): [string, string][] {
  if (daemon === 'supervise') return superviseSettings(bottle);
  if (daemon === 'egress') return [['BOTTLED_CA', PATHS.authority]];
  // The group of the engine's socket is that of this daemon's user alone.
  const socket = dockerSocketOf(bottle);
  if (daemon === 'mcp-bridge' && socket !== undefined) return [['MCP_BRIDGE_USER', `mcp-bridge:${socket.group}`]];
  return [];
}

function superviseSettings(bottle: Bottle): [string, string][] {
  const { supervise } = bottle;
  const opinion = opinionSettings(bottle);
  if (typeof supervise === 'boolean') return opinion;
  return [
    ['SUPERVISE_WAIT', formatDuration(supervise.wait)],
    ['SUPERVISE_EXPIRY', formatDuration(supervise.expiry)],
    ...opinion,
  ];
}

function filesOf(bottle: Bottle, written: WrittenBottle, daemons: readonly DaemonName[]): ReadonlyMap<string, string> {
  const { egress, pipelock } = grantedSections(bottle, written);
  const files = new Map<string, string>([
    ['routes.yaml', yamlOf(egress ?? { routes: [] })],
    ['pipelock.yaml', yamlOf(pipelock ?? {})],
  ]);
  if (daemons.includes('git-gate')) files.set('git-gate.yaml', yamlOf(written.git));
  if (daemons.includes('mcp-bridge')) {
    const { name } = bottle;
    files.set(
      'polis-policy.yaml',
      yamlOf({ apiVersion: 'polis.io/v1', kind: 'Policy', metadata: { name }, spec: written.mcp }),
    );
  }
  return files;
}

function yamlOf(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

function sortedMap(entries: readonly (readonly [string, string])[]): ReadonlyMap<string, string> {
  return new Map([...new Map(entries)].sort(([a], [b]) => (sortKey(a) < sortKey(b) ? -1 : 1)));
}

/** Numbers by their value: KEY_10 comes after KEY_9. */
function sortKey(name: string): string {
  return name.replace(/\d+/g, (digits) => digits.padStart(8, '0'));
}
