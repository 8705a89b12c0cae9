import { formatByteSize } from '../../config/byte-size.ts';
import { formatDuration } from '../../config/duration.ts';
import { OWN_VOLUMES } from '../bottle/mounts.ts';
import type { Bottle } from '../bottle/schema.ts';
import { type Comment, yamlText } from '../document.ts';
import { escaped } from '../interpolation.ts';
import { MODEL_NETWORK, MODEL_SERVICE } from '../model/names.ts';
import {
  modelComments,
  modelNetworks,
  modelSecrets,
  modelService,
  modelVolumes,
  unlessEmpty,
} from '../model/service.ts';
import { parseMount } from '../mount.ts';
import {
  type BottlePlan,
  dockerSocketOf,
  fromOutput,
  PATHS,
  SIDECAR_CAPABILITIES,
  SIDECARS_STOP_GRACE_PERIOD,
  type SidecarPlan,
} from '../plan.ts';
import { HEALTHCHECK, LOGGING, mountOf } from '../service.ts';

/** The rendered files of a Compose project by path: `compose.yaml` and `config/<daemon file>`. Pure. */
export function renderCompose(plan: BottlePlan): ReadonlyMap<string, string> {
  const files = [...plan.files].map(([name, text]): [string, string] => [`config/${name}`, text]);
  return new Map([['compose.yaml', composeText(plan)], ...files]);
}

function composeText(plan: BottlePlan): string {
  const { bottle, sidecars } = plan;
  const value = {
    name: bottle.name,
    services: {
      agent: agentService(plan),
      ...Object.fromEntries(sidecars.map((sidecar) => [sidecar.service, sidecarService(plan, sidecar)])),
      ...(bottle.model === undefined
        ? {}
        : { [MODEL_SERVICE]: modelService(bottle, bottle.model, (written) => mountOf(plan, written, MUST_EXIST)) }),
    },
    networks: {
      internal: { driver: 'bridge', ...NO_WAY_OUT },
      outward: { driver: 'bridge' },
      ...modelNetworks(bottle, 'bridge', NO_WAY_OUT),
    },
    volumes: volumesOf(bottle),
    secrets: secretsOf(plan),
  };
  return yamlText({ header: headerOf(plan), value: escapedIn(value), comments: commentsOf(plan) });
}

function agentService(plan: BottlePlan): object {
  const { agent } = plan.bottle;
  return {
    image: agent.image,
    entrypoint: agent.entrypoint,
    command: agent.command,
    environment: Object.fromEntries(plan.agent.environment),
    working_dir: agent.working_dir,
    user: agent.user,
    volumes: [
      ...agent.volumes.map((written) => mountOf(plan, written, MUST_EXIST)),
      {
        type: 'volume',
        source: OWN_VOLUMES.authority,
        target: PATHS.agentAuthority,
        read_only: true,
        volume: { nocopy: true },
      },
    ],
    tmpfs: unlessEmpty(agent.tmpfs.map((path) => `${path}:mode=1777,exec`)),
    networks: ['internal'],
    dns: ['127.0.0.1'],
    dns_opt: ['timeout:1', 'attempts:1'],
    depends_on: Object.fromEntries(awaitedBy(plan).map((service) => [service, { condition: 'service_healthy' }])),
    ...GUARDS,
    read_only: agent.read_only,
    tty: agent.tty || undefined,
    stdin_open: agent.stdin_open || undefined,
    restart: agent.restart,
    stop_grace_period: formatDuration(agent.stop_grace_period),
    ...resourcesOf(agent),
    logging: LOGGING,
  };
}

/** Without whom the agent does not start: the bundle, and the model where the bottle says so. */
function awaitedBy({ bottle, sidecars }: BottlePlan): readonly string[] {
  return [...sidecars.map(({ service }) => service), ...(bottle.model?.wait === true ? [MODEL_SERVICE] : [])];
}

function sidecarService(plan: BottlePlan, sidecar: SidecarPlan): object {
  const { bottle, layout, daemons } = plan;
  const { service, environment, secrets } = sidecar;
  const holdsNetwork = layout === 'bundle' || service === NETWORK_SERVICE;
  return {
    image: bottle.sidecars.image,
    environment: Object.fromEntries(environment),
    volumes: sidecarVolumes(plan, sidecar),
    tmpfs: ['/run:mode=0755,size=64m', '/run/secrets:mode=0700,size=1m', '/tmp:mode=1777,size=512m'],
    secrets: unlessEmpty(
      secrets.map(({ name, path }) => ({ source: name, target: path, uid: '0', gid: '0', mode: '0400' })),
    ),
    ...(holdsNetwork
      ? {
          networks: {
            internal: { aliases: daemons },
            outward: {},
            ...(bottle.model === undefined ? {} : { [MODEL_NETWORK]: {} }),
          },
        }
      : { network_mode: `service:${NETWORK_SERVICE}` }),
    sysctls: holdsNetwork ? { 'net.ipv4.ip_forward': '0' } : undefined,
    depends_on: layout === 'bundle' ? undefined : dependenciesOf(plan, sidecar),
    healthcheck: holdsNetwork ? HEALTHCHECK : { ...HEALTHCHECK, test: ['CMD-SHELL', IN_NETWORK] },
    cap_drop: GUARDS.cap_drop,
    cap_add: SIDECAR_CAPABILITIES,
    security_opt: GUARDS.security_opt,
    read_only: true,
    restart: 'unless-stopped',
    stop_grace_period: SIDECARS_STOP_GRACE_PERIOD,
    ...resourcesOf(bottle.sidecars),
    logging: LOGGING,
  };
}

/** Compose would put variables in; a bottle means what it says. */
function escapedIn(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}

/** Not even to the host, which would have an address in it. */
const NO_WAY_OUT = {
  driver_opts: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
  internal: true,
  enable_ipv6: false,
} as const;

/** In the split layout the service whose network all daemons share. */
const NETWORK_SERVICE = 'pipelock';

/**
 * When the engine starts the container anew whose network this one has, that network is another, and this one is left with loopback alone:
 * all is well within, and nobody reaches it.
 */
const IN_NETWORK = `grep -q eth /proc/net/dev || { echo 'its network is gone, for the container of ${NETWORK_SERVICE} was started anew: docker compose restart'; exit 1; }; exec healthcheck`;

const GUARDS = { cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] } as const;

/** In the split layout what `depends_on` of the bundle says among the daemons is between containers. */
function dependenciesOf({ daemons }: BottlePlan, { service }: SidecarPlan): object | undefined {
  const needs = service === 'egress' ? ['pipelock'] : service === 'pipelock' ? [] : ['egress'];
  const known = needs.filter((need) => daemons.some((daemon) => daemon === need));
  return known.length === 0
    ? undefined
    : Object.fromEntries(
        known.map((need) => [need, { condition: 'service_healthy', ...(need === NETWORK_SERVICE ? FOLLOWED : {}) }]),
      );
}

/** Who has the network of another has to be restarted with it: that network is gone. Compose knows that where nothing is said of it. */
const FOLLOWED = { restart: true } as const;

function sidecarVolumes(plan: BottlePlan, { daemons }: SidecarPlan): readonly object[] {
  const { bottle } = plan;
  const volumes: object[] = [
    { type: 'bind', source: './config', target: PATHS.config, bind: { create_host_path: false } },
    { type: 'volume', source: OWN_VOLUMES.data, target: PATHS.data },
  ];
  if (daemons.includes('egress')) {
    volumes.push({ type: 'volume', source: OWN_VOLUMES.authority, target: PATHS.authority });
  }
  volumes.push(...bottle.sidecars.volumes.map((written) => mountOf(plan, written, MUST_EXIST)));
  const socket = daemons.includes('mcp-bridge') ? dockerSocketOf(bottle) : undefined;
  if (socket !== undefined) {
    volumes.push({
      type: 'bind',
      source: socket.path,
      target: PATHS.dockerSocket,
      bind: { create_host_path: false },
    });
  }
  return volumes;
}

/** A directory that is not there is a mistake, not one to be made. */
const MUST_EXIST = { bind: { create_host_path: false } } as const;

function resourcesOf({ mem_limit, cpus, pids_limit }: Bottle['agent'] | Bottle['sidecars']): object {
  return { mem_limit: mem_limit === undefined ? undefined : formatByteSize(mem_limit), cpus, pids_limit };
}

function volumesOf(bottle: Bottle): object {
  const { agent, sidecars, data } = bottle;
  const named = [...agent.volumes, ...sidecars.volumes].map(parseMount).filter(({ kind }) => kind === 'volume');
  return {
    [OWN_VOLUMES.data]: { driver: data.driver, driver_opts: data.driver_opts },
    [OWN_VOLUMES.authority]: {},
    ...Object.fromEntries([...named.map(({ source }) => source), ...modelVolumes(bottle)].map((name) => [name, {}])),
  };
}

function secretsOf(plan: BottlePlan): object | undefined {
  const ofSidecars = plan.sidecars.flatMap(({ secrets }) => secrets.map(({ name }) => name));
  const used = new Set([...ofSidecars, ...modelSecrets(plan.bottle)]);
  const entries = Object.entries(plan.bottle.secrets).flatMap(([name, { file }]) =>
    used.has(name) && file !== undefined ? [[name, { file: fromOutput(plan, file) }]] : [],
  );
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function headerOf({ bottle, layout }: BottlePlan): string {
  const services = layout === 'bundle' ? 'two services' : 'the legacy layout of one service a daemon';
  const what = bottle.model === undefined ? services : `${services}, and a model server`;
  return `The bottle "${bottle.name}" for Docker Compose, ${what}. See docs/compose.md.

  docker compose up --detach
  docker compose down                 # --volumes also forgets what the daemons keep`;
}

function commentsOf(plan: BottlePlan): readonly Comment[] {
  const { bottle, layout, sidecars } = plan;
  const first = sidecars[0]?.service ?? '';
  const network = layout === 'bundle' ? first : NETWORK_SERVICE;
  const agent = (key: string, comment: string) => [['services', 'agent', key], comment] as const;
  const of = (service: string, key: string, comment: string) => [['services', service, key], comment] as const;
  const comments: Comment[] = [
    [['services', 'agent'], 'The agent: whatever it runs, its only way out is the bundle.'],
    agent(
      'environment',
      'How programs find the bundle. No credential is here: egress puts those in, and the agent never has them.',
    ),
    agent('networks', 'This network alone: no route leads out of it.'),
    agent(
      'dns',
      "The engine's resolver passes names that it does not know on to this server: to nobody, for a name\n" +
        'that is looked up is a message, too (CVE-2024-29018). The names of the bundle resolve as ever.',
    ),
    agent('dns_opt', 'An unknown name fails in 2 s, not in 20.'),
    agent('depends_on', 'The agent starts when the guards stand.'),
    agent('cap_drop', 'No capability, and no way to get one by a setuid program.'),
    agent('logging', 'What an agent writes must not fill the disk.'),
    [
      ['services', first],
      layout === 'bundle'
        ? `The bundle: ${plan.daemons.join(', ')} under one init, each as a user of its own.`
        : 'The legacy layout: a container for each daemon. All are in the network of the first one, so that what egress ' +
          'hands to pipelock in the clear stays on loopback. To go back: bottled render compose.',
    ],
    of(
      network,
      'networks',
      'Both networks, and the only one in both. It passes nothing on but what its daemons let through.',
    ),
    of(network, 'sysctls', 'It stands in both networks and is no router.'),
    of(
      first,
      'volumes',
      'A directory, not its files: a file that is mounted alone stays the old one when it is replaced.',
    ),
    of(first, 'tmpfs', 'Only root enters the directory of secrets; the init gives each to the user of its daemon.'),
    of(first, 'healthcheck', 'A shell script that reads one line of the init: a few milliseconds.'),
    of(
      first,
      'cap_add',
      'The init gives directories and secrets to the users of the daemons, starts each as its own user, and ends it. ' +
        'The daemons themselves have none of these.',
    ),
    of(first, 'stop_grace_period', 'The bundle itself takes 8 s at most.'),
    [
      ['networks', 'internal', 'driver_opts'],
      'Without an address of the host in it: or the agent could reach what listens on the host.',
    ],
    [['networks', 'internal', 'internal'], 'No route leads out.'],
    [
      ['volumes', 'data'],
      'What the daemons must not lose: the authority of egress, the mirrors, the log of decisions.',
    ],
    [['volumes', 'ca'], 'The certificate of egress, which the agent trusts, and nothing else.'],
  ];
  if (dockerSocketOf(bottle) !== undefined) {
    const service = layout === 'bundle' ? first : 'mcp-bridge';
    comments.push(
      of(service, 'environment', "mcp-bridge alone is in the group of the engine's socket. Who has it owns the host."),
    );
  }
  comments.push(...modelComments(bottle));
  if (secretsOf(plan) !== undefined) {
    comments.push([
      ['secrets'],
      'chmod 600 these files. Compose mounts them with their mode on the host: uid and mode above are for other engines.',
    ]);
  }
  return comments;
}
