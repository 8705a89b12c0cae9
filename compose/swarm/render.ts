import { createHash } from 'node:crypto';
import { formatDuration } from '../../config/duration.ts';
import { OWN_VOLUMES } from '../bottle/mounts.ts';
import { type Comment, yamlText } from '../document.ts';
import { escaped, escapedText } from '../interpolation.ts';
import { MODEL_NETWORK, MODEL_SERVICE } from '../model/names.ts';
import { modelComments, modelNetworks, modelSecrets, modelVolumes } from '../model/service.ts';
import { parseMount } from '../mount.ts';
import {
  type BottlePlan,
  fromOutput,
  PATHS,
  SIDECAR_CAPABILITIES,
  SIDECARS_STOP_GRACE_PERIOD,
  type SidecarPlan,
} from '../plan.ts';
import { HEALTHCHECK, LOGGING, mountOf, RUN_BYTES, TEMPORARY_BYTES } from '../service.ts';
import { modelStackService } from './model.ts';
import { placementOf, resourcesOf } from './resources.ts';

/** The file that `docker stack deploy` reads. */
export const STACK_FILE = 'stack.yaml';

/** Half of what a name in Swarm may have (64 characters) is taken by the bottle's; the rest of a digest adds nothing. */
const DIGEST_LENGTH = 10;

/**
 * Swarm kills what is unhealthy and starts another. That is for an init that does not answer, not for a daemon that the init is about
 * to restart, nor for a machine so busy that a probe takes seconds: half a minute of failures, where Compose says so after six seconds.
 */
const PATIENT_HEALTHCHECK = { ...HEALTHCHECK, timeout: '10s', retries: 15 } as const;

/**
 * A stack of two services for Docker Swarm: `stack.yaml`, and the daemons' files beside it. The words are those of the Compose file that
 * `docker stack deploy` reads (version 3.9), which lacks some of the Compose Specification.
 */
export function renderSwarm(plan: BottlePlan): ReadonlyMap<string, string> {
  const [bundle, ...others] = plan.sidecars;
  if (bundle === undefined || others.length > 0)
    throw new RangeError('Swarm cannot give several services one network: the split layout is for Compose');
  const files = [...plan.files].map(([name, text]) => [`config/${name}`, text] as const);
  return new Map([[STACK_FILE, stackText(plan, bundle)], ...files]);
}

function stackText(plan: BottlePlan, bundle: SidecarPlan): string {
  const { bottle } = plan;
  const value = {
    version: '3.9',
    services: {
      agent: escaped(agentService(plan)),
      sidecars: escaped(sidecarService(plan, bundle)),
      ...(bottle.model === undefined ? {} : { [MODEL_SERVICE]: escaped(modelStackService(plan, bottle.model)) }),
    },
    networks: {
      internal: { driver: 'overlay', internal: true },
      outward: { driver: 'overlay' },
      ...modelNetworks(bottle, 'overlay', { internal: true }),
    },
    volumes: {
      [OWN_VOLUMES.data]: { driver: bottle.data.driver, driver_opts: escaped(bottle.data.driver_opts) },
      [OWN_VOLUMES.authority]: {},
      ...Object.fromEntries(namedVolumes(plan).map((name) => [name, {}])),
    },
    configs: Object.fromEntries(configsOf(plan).map(({ key, name }) => [key, { file: `./config/${name}` }])),
    secrets: secretsOf(plan, bundle),
  };
  return yamlText({ header: headerOf(plan), value, comments: commentsOf(plan, bundle) });
}

function agentService(plan: BottlePlan): object {
  const { bottle, agent } = plan;
  const { image, command, entrypoint, working_dir, user, read_only, tty, stdin_open } = bottle.agent;
  return {
    image,
    entrypoint,
    command,
    user,
    working_dir,
    environment: Object.fromEntries(agent.environment),
    networks: ['internal'],
    dns: ['127.0.0.1'],
    cap_drop: ['ALL'],
    read_only,
    tty: tty || undefined,
    stdin_open: stdin_open || undefined,
    volumes: [
      ...bottle.agent.volumes.map((written) => mountOf(plan, written)),
      {
        type: 'volume',
        source: OWN_VOLUMES.authority,
        target: PATHS.agentAuthority,
        read_only: true,
        volume: { nocopy: true },
      },
      ...bottle.agent.tmpfs.map((target) => ({ type: 'tmpfs', target })),
    ],
    stop_grace_period: formatDuration(bottle.agent.stop_grace_period),
    logging: LOGGING,
    deploy: {
      replicas: 1,
      placement: placementOf(bottle.agent.placement ?? bottle.sidecars.placement),
      resources: resourcesOf(bottle.agent),
      restart_policy: { condition: RESTART[bottle.agent.restart], delay: '5s' },
      update_config: { order: 'stop-first' },
    },
  };
}

/** Swarm's words for those of Compose. */
const RESTART = { no: 'none', always: 'any', 'on-failure': 'on-failure', 'unless-stopped': 'any' } as const;

function sidecarService(plan: BottlePlan, bundle: SidecarPlan): object {
  const { bottle } = plan;
  return {
    image: bottle.sidecars.image,
    environment: Object.fromEntries(bundle.environment),
    networks: {
      internal: { aliases: [...plan.daemons] },
      outward: {},
      ...(bottle.model === undefined ? {} : { [MODEL_NETWORK]: {} }),
    },
    cap_drop: ['ALL'],
    cap_add: [...SIDECAR_CAPABILITIES],
    read_only: true,
    configs: configsOf(plan).map(({ key, name }) => ({ source: key, target: `${PATHS.config}/${name}`, mode: 0o444 })),
    ...(bundle.secrets.length === 0
      ? {}
      : {
          secrets: bundle.secrets.map(({ name, path }) => ({
            source: name,
            target: path,
            uid: '0',
            gid: '0',
            mode: 0o400,
          })),
        }),
    volumes: [
      ...bottle.sidecars.volumes.map((written) => mountOf(plan, written)),
      { type: 'volume', source: OWN_VOLUMES.data, target: PATHS.data },
      { type: 'volume', source: OWN_VOLUMES.authority, target: PATHS.authority },
      { type: 'tmpfs', target: '/run', tmpfs: { size: RUN_BYTES } },
      { type: 'tmpfs', target: '/tmp', tmpfs: { size: TEMPORARY_BYTES } },
    ],
    healthcheck: PATIENT_HEALTHCHECK,
    stop_grace_period: SIDECARS_STOP_GRACE_PERIOD,
    logging: LOGGING,
    deploy: {
      replicas: 1,
      endpoint_mode: 'dnsrr',
      placement: placementOf(bottle.sidecars.placement),
      resources: resourcesOf(bottle.sidecars),
      restart_policy: { condition: 'any', delay: '1s' },
      update_config: { order: 'stop-first', failure_action: 'rollback', monitor: '30s' },
      rollback_config: { order: 'stop-first', failure_action: 'pause', monitor: '30s' },
    },
  };
}

function namedVolumes({ bottle }: BottlePlan): readonly string[] {
  const mounts = [...bottle.agent.volumes, ...bottle.sidecars.volumes].map(parseMount);
  const named = mounts.filter(({ kind }) => kind === 'volume').map(({ source }) => source);
  return [...new Set([...named, ...modelVolumes(bottle)])];
}

/** What a config holds never changes in Swarm, so its name says what it holds. */
function configsOf({ files }: BottlePlan): readonly { readonly key: string; readonly name: string }[] {
  return [...files].map(([name, text]) => {
    const digest = createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH);
    return { key: `${name.replace(/\.[a-z]+$/, '')}-${digest}`, name };
  });
}

function secretsOf(plan: BottlePlan, bundle: SidecarPlan): object | undefined {
  const { bottle } = plan;
  const used = new Set([...bundle.secrets.map(({ name }) => name), ...modelSecrets(bottle)]);
  if (used.size === 0) return undefined;
  return Object.fromEntries(
    [...used].map((name) => {
      const file = bottle.secrets[name]?.file;
      const known = `${bottle.name}-${name}`;
      return [
        name,
        file === undefined
          ? { external: true, name: known }
          : { name: `${known}-\${SECRETS_VERSION:-1}`, file: escapedText(fromOutput(plan, file)) },
      ];
    }),
  );
}

function headerOf({ bottle }: BottlePlan): string {
  return `The bottle "${bottle.name}" on Docker Swarm, made from bottle.yaml by: bottled render swarm. See docs/swarm.md.

  docker stack deploy -c ${STACK_FILE} ${bottle.name}
  docker stack rm ${bottle.name}

Volumes are those of one node, and both services share the certificate in "ca": where the swarm has more than one node, keep both on one by "placement" in bottle.yaml.`;
}

function commentsOf({ bottle, files }: BottlePlan, bundle: SidecarPlan): readonly Comment[] {
  const agent = ['services', 'agent'];
  const sidecars = ['services', 'sidecars'];
  const comments: Comment[] = [
    [
      agent,
      'The agent. Swarm knows no depends_on: it starts beside the bundle, whose names do not resolve until it is healthy. Until then every request fails, and nothing gets out.',
    ],
    [[...agent, 'networks'], 'The only network, and one without a way out.'],
    [
      [...agent, 'dns'],
      'Names of the bundle resolve, and no others: the resolver of the engine asks nobody else. Names are a way out, too (CVE-2024-29018).',
    ],
    [[...agent, 'cap_drop'], 'Swarm has no word for no-new-privileges; see docs/swarm.md for what takes its place.'],
    [
      [...agent, 'deploy', 'restart_policy'],
      `"restart: ${bottle.agent.restart}" of bottle.yaml, in the words of Swarm.`,
    ],
    [[...agent, 'logging'], 'What an agent writes must not fill the disk.'],
    [sidecars, 'The bundle: bottled as process 1, and the daemons.'],
    [
      [...sidecars, 'cap_add'],
      'What the init needs to run each daemon as a user of its own. The daemons have none of it.',
    ],
    [[...sidecars, 'stop_grace_period'], 'More than the 8 s that the bundle itself takes at most.'],
    [
      [...sidecars, 'healthcheck'],
      'Swarm kills a bundle that is unhealthy. The init restarts its daemons by itself, so it gets half a minute for it.',
    ],
    [
      [...sidecars, 'deploy', 'endpoint_mode'],
      'Names give the address of the container itself: a virtual one would cut connections that are silent for 15 minutes.',
    ],
    [
      [...sidecars, 'deploy', 'update_config'],
      'The old one ends first: two must not write one volume. A new one that does not become healthy is rolled back.',
    ],
    [['networks', 'internal'], 'Without a gateway: what is on this network alone cannot leave it.'],
    [['networks', 'outward'], 'The way out of the bundle.'],
    [
      ['volumes', 'data'],
      'What the daemons must not lose. The private key of egress is here, and the agent does not mount it.',
    ],
    [['volumes', 'ca'], 'The certificate of egress, and nothing else: egress writes it, the agent trusts it.'],
  ];
  if (files.size > 0) {
    comments.push([
      ['configs'],
      'Swarm never changes a config, so the name tells what is in it: a changed file is a new config, and the next deploy rolls the bundle. An approved proposal cannot be written here: put it into bottle.yaml, render, deploy.',
    ]);
  }
  comments.push(...modelComments(bottle));
  if (bundle.secrets.length > 0 || modelSecrets(bottle).length > 0) {
    comments.push([
      ['secrets'],
      'Files that root of the bundle alone can read; the init gives each to the one daemon that uses it. Swarm never changes a secret either: after a new value, deploy with SECRETS_VERSION=2, then 3.',
    ]);
  }
  return comments;
}
