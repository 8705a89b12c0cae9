import { formatByteSize } from '../../config/byte-size.ts';
import { formatDuration } from '../../config/duration.ts';
import type { Bottle } from '../bottle/schema.ts';
import type { Comment } from '../document.ts';
import { parseMount } from '../mount.ts';
import { LOGGING } from '../service.ts';
import { MODEL_NETWORK, MODEL_SERVICE, WEIGHTS_NETWORK } from './names.ts';
import { type ModelServer, modelServer, TOKEN_DIRECTORY, TOKEN_FILE } from './server.ts';

type Model = NonNullable<Bottle['model']>;

/** The service of a bottle's model, as Compose writes it. `mountOf` writes one of its mounts. */
export function modelService(bottle: Bottle, model: Model, mountOf: (written: string) => object): object {
  const server = modelServer(bottle, model);
  const { gpu, memory, sharedMemory, user } = server;
  return {
    ...programOf(server),
    user: user === undefined ? undefined : `${user}:${user}`,
    volumes: unlessEmpty(server.volumes.map(mountOf)),
    tmpfs: unlessEmpty(server.tmpfs),
    secrets: tokenOf(server, '0400'),
    ...networksOf(server),
    deploy: gpu === false ? undefined : { resources: { reservations: { devices: [deviceOf(gpu)] } } },
    healthcheck: healthcheckOf(server),
    cap_drop: ['ALL'],
    cap_add: unlessEmpty(server.capabilities),
    security_opt: ['no-new-privileges:true'],
    read_only: server.isReadOnly || undefined,
    shm_size: sharedMemory === undefined ? undefined : formatByteSize(sharedMemory),
    restart: 'unless-stopped',
    mem_limit: memory === undefined ? undefined : formatByteSize(memory),
    cpus: server.cpus,
    pids_limit: server.processes,
    logging: LOGGING,
  };
}

/** What Compose and Swarm write in the same words: what is run. */
export function programOf({ image, entrypoint, command, environment }: ModelServer): object {
  return { image, entrypoint, command, environment };
}

/** The networks that it is in. Without a way out it resolves no name either. */
export function networksOf({ isOnline }: ModelServer): object {
  return isOnline ? { networks: [MODEL_NETWORK, WEIGHTS_NETWORK] } : { networks: [MODEL_NETWORK], dns: ['127.0.0.1'] };
}

/** The token as a file, for root of its container alone. */
export function tokenOf({ token }: ModelServer, mode: string | number): readonly object[] | undefined {
  if (token === undefined) return undefined;
  return [{ source: token, target: `${TOKEN_DIRECTORY}/${TOKEN_FILE}`, uid: '0', gid: '0', mode }];
}

/** What is written only where there is something to write. */
export function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function deviceOf(gpu: true | number): object {
  return { driver: 'nvidia', count: gpu === true ? 'all' : gpu, capabilities: ['gpu'] };
}

export function healthcheckOf({ probe, startPeriod }: ModelServer): object {
  return {
    test: ['CMD', ...probe],
    interval: '10s',
    timeout: '5s',
    retries: 3,
    start_period: formatDuration(startPeriod),
  };
}

/** Networks that the model needs, each of this kind; `inner` is said of the one without a way out. */
export function modelNetworks({ model }: Bottle, driver: 'bridge' | 'overlay', inner: object = {}): object {
  if (model === undefined) return {};
  return {
    [MODEL_NETWORK]: { driver, ...inner },
    ...(model.internet && !model.mock ? { [WEIGHTS_NETWORK]: { driver } } : {}),
  };
}

/** Names of the volumes that the model alone brings. */
export function modelVolumes({ model }: Bottle): readonly string[] {
  if (model === undefined || model.mock) return [];
  return model.volumes.map(parseMount).flatMap(({ kind, source }) => (kind === 'volume' ? [source] : []));
}

/** Names of the secrets that the model gets. */
export function modelSecrets({ model }: Bottle): readonly string[] {
  return model?.token === undefined || model.mock ? [] : [model.token];
}

/** What is said of it, by its keys in Compose and Swarm. */
export function modelComments({ model }: Bottle): readonly Comment[] {
  if (model === undefined) return [];
  const of = (key: string, comment: string): Comment => [['services', MODEL_SERVICE, key], comment];
  const comments: Comment[] = [
    [
      ['services', MODEL_SERVICE],
      model.mock
        ? 'A mock of a model server: it says the question back. Without mock: true or --mock it is vLLM.'
        : 'The model server. The agent asks it by way of egress, supervise directly.',
    ],
    of(
      'networks',
      model.internet && !model.mock
        ? 'With the bundle alone, and out to load weights.'
        : 'With the bundle alone; no route leads out, so weights have to be in a volume.',
    ),
    of('healthcheck', 'Until it is ready, which can take minutes, nothing waits for it unless the bottle says so.'),
  ];
  comments.push([
    ['networks', MODEL_NETWORK, 'internal'],
    'Of the bundle and the model. The agent is not in it, and no route leads out.',
  ]);
  if (model.mock) return comments;
  comments.push(of('cap_add', 'Its volumes and its token may belong to a user of the host.'));
  return comments;
}
