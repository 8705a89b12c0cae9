import type { Bottle } from '../bottle/schema.ts';
import { CPU_IMAGE, GPU_IMAGE, MODEL_PORT } from './names.ts';

type Model = NonNullable<Bottle['model']>;

/** Where the token for Hugging Face is in the container. */
export const TOKEN_DIRECTORY = '/run/secrets/model';
export const TOKEN_FILE = 'hugging-face-token';
/** In the image of the bundle. */
const MOCK = '/opt/bottled/dist/model-mock.mjs';
/** nobody, who has no business with any file. */
const MOCK_USER = 65534;

/** The container of a bottle's model, before any engine's words. */
export interface ModelServer {
  readonly image: string;
  /** Undefined: that of the image. */
  readonly entrypoint: readonly string[] | undefined;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>> | undefined;
  /** uid and gid; undefined: those of the image. */
  readonly user: number | undefined;
  /** As they are written in the bottle. */
  readonly volumes: readonly string[];
  readonly tmpfs: readonly string[];
  /** Which of the bottle's secrets stands in {@link TOKEN_DIRECTORY} as {@link TOKEN_FILE}. */
  readonly token: string | undefined;
  /** What it has of root's capabilities. */
  readonly capabilities: readonly string[];
  readonly isReadOnly: boolean;
  /** Whether a network leads out of its container. */
  readonly isOnline: boolean;
  /** How many GPUs of NVIDIA; true: all of the machine. */
  readonly gpu: boolean | number;
  /** A program of the container that ends with 0 when the model is loaded. */
  readonly probe: readonly [string, ...string[]];
  /** Milliseconds that it may take to be loaded. */
  readonly startPeriod: number;
  /** Bytes. */
  readonly sharedMemory: number | undefined;
  /** Bytes. */
  readonly memory: number | undefined;
  readonly cpus: number | undefined;
  readonly processes: number;
}

/** The path that answers 200 when the model is loaded (vLLM, and the mock). */
export const HEALTH_PATH = '/health';

export function modelServer({ sidecars }: Bottle, model: Model): ModelServer {
  return model.mock ? mock(sidecars.image, model) : vllm(model);
}

function vllm(model: Model): ModelServer {
  const { gpu, internet, token } = model;
  return {
    image: model.image ?? (gpu === false ? CPU_IMAGE : GPU_IMAGE),
    entrypoint: undefined,
    command: commandOf(model),
    environment: {
      ...model.environment,
      ...(token === undefined ? {} : { HF_TOKEN_PATH: `${TOKEN_DIRECTORY}/${TOKEN_FILE}` }),
      ...(internet ? {} : { HF_HUB_OFFLINE: '1' }),
      VLLM_NO_USAGE_STATS: '1',
    },
    user: undefined,
    volumes: model.volumes,
    tmpfs: [],
    token,
    capabilities: ['DAC_OVERRIDE'],
    isReadOnly: false,
    isOnline: internet,
    gpu,
    probe: ['python3', '-c', PYTHON_PROBE],
    startPeriod: model.start_period,
    sharedMemory: model.shm_size,
    memory: model.mem_limit,
    cpus: model.cpus,
    processes: 4096,
  };
}

function mock(image: string, model: Model): ModelServer {
  const names = [model.model, ...Object.keys(model.adapters)];
  return {
    image,
    entrypoint: ['node', MOCK],
    command: ['--host', '::', '--port', String(MODEL_PORT), ...names.flatMap((name) => ['--model', name])],
    environment: undefined,
    user: MOCK_USER,
    volumes: [],
    tmpfs: ['/var/lib/bottled'],
    token: undefined,
    capabilities: [],
    isReadOnly: true,
    isOnline: false,
    gpu: false,
    probe: ['node', '-e', NODE_PROBE],
    startPeriod: model.start_period,
    sharedMemory: undefined,
    memory: 256 * 1024 ** 2,
    cpus: undefined,
    processes: 64,
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

const HEALTH = `http://127.0.0.1:${MODEL_PORT}${HEALTH_PATH}`;
const PYTHON_PROBE = `import urllib.request; urllib.request.urlopen('${HEALTH}', timeout=4)`;
const NODE_PROBE = `fetch('${HEALTH}').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`;
