import * as z from 'zod/mini';
import { byteSize, duration, key, rule, text } from '../../config/values.ts';
import { CPU_IMAGE, GPU_IMAGE, MODEL_URL } from './names.ts';

/** What `model:` takes of the rest of bottle.yaml. */
export interface ModelParts {
  readonly imageName: z.ZodMiniType<string, string>;
  readonly volume: z.ZodMiniType<string, string>;
  readonly secretName: z.ZodMiniType<string, string>;
}

/** Names that vLLM takes for a model or an adapter, and that go into a URL or a command line as they are. */
const modelName = z
  .string()
  .check(
    rule(
      (name) => /^[A-Za-z0-9/][\w./:@-]{0,199}$/.test(name),
      'is not the name of a model, e.g. "meta-llama/Meta-Llama-3-70B-Instruct"',
    ),
  );

const adapterName = z
  .string()
  .check(
    rule((name) => /^[A-Za-z0-9][\w.-]{0,99}$/.test(name), 'is not the name of an adapter, e.g. "green_agent_adapter"'),
  );

const adapterPath = z.string().check(rule((path) => /^\/[\w./-]{1,255}$/.test(path), 'is not an absolute path'));

const WEIGHTS = 'huggingface:/root/.cache/huggingface';

/** The `model:` section. */
export function modelSchemaOf({ imageName, volume, secretName }: ModelParts) {
  return z.strictObject({
    model: key(modelName, 'What it serves: a name on Hugging Face, or a path in its container.'),
    image: key(
      z.optional(imageName),
      `The image of the model server. Default: ${GPU_IMAGE}, without a GPU ${CPU_IMAGE}.`,
    ),
    gpu: key(
      z._default(z.union([z.boolean(), z.int().check(z.minimum(1), z.maximum(64))]), true),
      'How many GPUs of NVIDIA it has: true for all (on Swarm and Kubernetes for one), a number, or false for none.',
    ),
    adapters: key(
      z._default(z.record(adapterName, adapterPath), {}),
      'LoRA adapters by the name under which they are asked, each with its path in the container.',
    ),
    args: key(
      z._default(z.array(z.string().check(z.minLength(1))).check(z.maxLength(100)), []),
      'More words of its command line, e.g. ["--quantization", "awq"].',
    ),
    environment: key(
      z._default(z.record(z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/)), z.clone(text)), {}),
      'Variables of the model server, e.g. VLLM_CPU_KVCACHE_SPACE. No credentials: see token.',
    ),
    volumes: key(
      z._default(z.array(volume).check(z.maxLength(16)), [WEIGHTS]),
      'Where it keeps weights and finds adapters, as Compose writes mounts.',
    ),
    token: key(
      z.optional(secretName),
      'Which of "secrets" is the token for Hugging Face. The model server gets it as a file; nobody else does.',
    ),
    internet: key(
      z._default(z.boolean(), false),
      'Whether the model server can reach the internet, to load weights. Without it they have to be in a volume.',
    ),
    agent: key(
      z._default(z.boolean(), true),
      `Whether the agent can ask the model, by way of egress. LLM_SIDECAR_URL tells it where: ${MODEL_URL}.`,
    ),
    opinion: key(
      z._default(z.union([z.boolean(), modelName]), true),
      'Whether supervise asks for a second opinion on proposals, as advice for the operator: true, false, or the adapter that is asked.',
    ),
    wait: key(
      z._default(z.boolean(), false),
      'Whether the agent starts only when the model is ready. Without it the bottle does not wait.',
    ),
    start_period: key(
      z._default(duration, 30 * 60_000),
      'How long the model may take to be loaded until it counts as unhealthy.',
    ),
    mock: key(z._default(z.boolean(), false), 'A mock of the API in place of a model, out of the image of the bundle.'),
    shm_size: key(z._default(byteSize, 8 * 1024 ** 3), 'The most shared memory, which several GPUs need.'),
    mem_limit: key(z.optional(byteSize), 'The most memory, e.g. "64gb".'),
    cpus: key(z.optional(z.number().check(z.positive(), z.maximum(1024))), 'The most processors, as 8.'),
    placement: key(
      z.optional(z.array(z.string().check(z.minLength(1)))),
      'Swarm only: constraints on where it runs, as "node.labels.gpu == yes".',
    ),
    size: key(z._default(byteSize, 200 * 1024 ** 3), 'Kubernetes only: how much each of its volumes claims.'),
  });
}
