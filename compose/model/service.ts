import { formatByteSize } from '../../config/byte-size.ts';
import { formatDuration } from '../../config/duration.ts';
import type { Bottle } from '../bottle/schema.ts';
import type { Comment } from '../document.ts';
import { parseMount } from '../mount.ts';
import { LOGGING } from '../service.ts';
import { CPU_IMAGE, GPU_IMAGE, MODEL_NETWORK, MODEL_PORT, MODEL_SERVICE, WEIGHTS_NETWORK } from './names.ts';

type Model = NonNullable<Bottle['model']>;

/** Where the token for Hugging Face is in the container. */
const TOKEN_PATH = '/run/secrets/hugging-face-token';
/** In the image of the bundle. */
const MOCK = '/opt/bottled/dist/model-mock.mjs';

const GUARDS = { cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] } as const;

/** The service of a bottle's model, as Compose writes it. `mountOf` writes one of its mounts. */
export function modelService({ sidecars }: Bottle, model: Model, mountOf: (written: string) => object): object {
  return model.mock ? mockService(sidecars.image, model) : vllmService(model, mountOf);
}

function vllmService(model: Model, mountOf: (written: string) => object): object {
  const { gpu, internet, token, mem_limit } = model;
  return {
    image: model.image ?? (gpu === false ? CPU_IMAGE : GPU_IMAGE),
    command: commandOf(model),
    environment: {
      ...model.environment,
      ...(token === undefined ? {} : { HF_TOKEN_PATH: TOKEN_PATH }),
      ...(internet ? {} : { HF_HUB_OFFLINE: '1' }),
      VLLM_NO_USAGE_STATS: '1',
    },
    volumes: model.volumes.map(mountOf),
    secrets:
      token === undefined ? undefined : [{ source: token, target: TOKEN_PATH, uid: '0', gid: '0', mode: '0400' }],
    networks: internet ? [MODEL_NETWORK, WEIGHTS_NETWORK] : [MODEL_NETWORK],
    dns: internet ? undefined : ['127.0.0.1'],
    deploy: gpu === false ? undefined : { resources: { reservations: { devices: [deviceOf(gpu)] } } },
    healthcheck: healthcheckOf(model, ['python3', '-c', PYTHON_PROBE]),
    cap_drop: GUARDS.cap_drop,
    cap_add: ['DAC_OVERRIDE'],
    security_opt: GUARDS.security_opt,
    shm_size: formatByteSize(model.shm_size),
    restart: 'unless-stopped',
    mem_limit: mem_limit === undefined ? undefined : formatByteSize(mem_limit),
    cpus: model.cpus,
    pids_limit: 4096,
    logging: LOGGING,
  };
}

function mockService(image: string, model: Model): object {
  const names = [model.model, ...Object.keys(model.adapters)];
  return {
    image,
    entrypoint: ['node', MOCK],
    command: ['--host', '::', '--port', String(MODEL_PORT), ...names.flatMap((name) => ['--model', name])],
    user: '65534:65534',
    tmpfs: ['/var/lib/bottled'],
    networks: [MODEL_NETWORK],
    dns: ['127.0.0.1'],
    healthcheck: healthcheckOf(model, ['node', '-e', NODE_PROBE]),
    ...GUARDS,
    read_only: true,
    restart: 'unless-stopped',
    mem_limit: '256mb',
    pids_limit: 64,
    logging: LOGGING,
  };
}

function commandOf({ model, adapters, args }: Model): readonly string[] {
  const modules = Object.entries(adapters).map(([name, path]) => `${name}=${path}`);
  return [
    '--model',
    model,
    '--host',
    '0.0.0.0',
    '--port',
    String(MODEL_PORT),
    ...(modules.length === 0 ? [] : ['--enable-lora', '--lora-modules', ...modules]),
    ...args,
  ];
}

function deviceOf(gpu: true | number): object {
  return { driver: 'nvidia', count: gpu === true ? 'all' : gpu, capabilities: ['gpu'] };
}

/** vLLM's `/health` answers when the model is loaded. */
function healthcheckOf({ start_period }: Model, command: readonly string[]): object {
  return {
    test: ['CMD', ...command],
    interval: '10s',
    timeout: '5s',
    retries: 3,
    start_period: formatDuration(start_period),
  };
}

const HEALTH = `http://127.0.0.1:${MODEL_PORT}/health`;
const PYTHON_PROBE = `import urllib.request; urllib.request.urlopen('${HEALTH}', timeout=4)`;
const NODE_PROBE = `fetch('${HEALTH}').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`;

/** Networks that the model needs. */
export function modelNetworks({ model }: Bottle): object {
  if (model === undefined) return {};
  return {
    [MODEL_NETWORK]: {
      driver: 'bridge',
      driver_opts: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
      internal: true,
      enable_ipv6: false,
    },
    ...(model.internet && !model.mock ? { [WEIGHTS_NETWORK]: { driver: 'bridge' } } : {}),
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
