import * as z from 'zod/mini';
import { byteSize, duration, exactlyOne, key, rule, text } from '../../config/values.ts';
import { gateSchema } from '../../daemons/git-gate/config/schema.ts';
import { policySchema } from '../../daemons/mcp-bridge/config/schema.ts';
import { settingsSchema } from '../../daemons/pipelock/settings.ts';
import { routesSchema } from '../../daemons/routes/schema.ts';
import { modelSchemaOf } from '../model/schema.ts';

/**
 * The shape of `bottle.yaml`: an agent, and what it may do. Keys of containers, secrets and volumes are those of the Compose Specification; what the daemons
 * are told stands here as in their own files.
 */

/** Compose's rule for the name of a project, which is also a DNS label for Kubernetes. */
const bottleName = z
  .string()
  .check(
    rule(
      (name) => /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name),
      'is not a name: small letters, digits and "-", at most 40, no "-" at either end',
    ),
  );

/** What the engines take (the grammar of github.com/distribution/reference): host, path in small letters, tag, digest. */
const IMAGE =
  /^(?:(?:localhost|[A-Za-z0-9-]*[A-Z][A-Za-z0-9-]*|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+(?=:\d+\/)|\[[0-9a-fA-F:]+\])(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,128})?$/;

const imageName = z
  .string()
  .check(
    rule(
      (name) => name.length <= 255 && IMAGE.test(name),
      'is not the name of an image, e.g. "ghcr.io/acme/agent:1", with small letters only',
    ),
  );

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** No process can be given a null character; half of a pair of surrogates is no text (Unicode, 3.9). */
const isText = rule<string>(
  (written) => !written.includes('\0') && written.isWellFormed(),
  'holds what is no text: a null character, or half of a pair of surrogates',
);

/** Of its own, since descriptions of keys are kept by schema. */
const value = key(text.check(isText), 'What it is set to, taken as it is written.');

const variables = z.record(z.string().check(z.regex(VARIABLE, 'is not a name of a variable')), value);

const word = z.string().check(isText);
const words = z.union([word.check(z.minLength(1)), z.array(word).check(z.minLength(1), z.maxLength(256))]);

const volume = z
  .string()
  .check(
    rule(
      (written) => /^[^:\s][^:]*:\/[^:]*(:(ro|rw))?$/.test(written) && isOneLine(written),
      'is not a mount; write SOURCE:/PATH or SOURCE:/PATH:ro, with a directory ("./src") or the name of a volume as source',
    ),
  );

const absolutePath = z
  .string()
  .check(rule((path) => path.startsWith('/') && isOneLine(path), 'is not an absolute path'));

/** Without options, which Compose would take behind a ":". */
const memoryPath = z
  .string()
  .check(
    rule(
      (path) => /^\/[^:,]*$/.test(path) && isOneLine(path),
      'is not an absolute path; write it alone: it is open to all users, and programs in it can be run',
    ),
  );

/** A path with a line break or the like in it is a mistake, or means to be one. */
function isOneLine(path: string): boolean {
  return !/[\p{Cc}\u2028\u2029]/u.test(path);
}

/** The least memory that Docker takes. */
const memory = z
  .clone(byteSize)
  .check(rule((bytes) => bytes >= 6 * 1024 ** 2, 'is less than 6mb, in which nothing runs'));

const resources = {
  mem_limit: key(z.optional(memory), 'The most memory, e.g. "2gb".'),
  cpus: key(z.optional(z.number().check(z.positive(), z.maximum(1024))), 'The most processors, as 0.5.'),
  pids_limit: key(
    z._default(z.int().check(z.minimum(1), z.maximum(4_194_304)), 4096),
    'The most processes and threads. Not for Kubernetes, where it is a setting of the node.',
  ),
  placement: key(
    z.optional(z.array(z.string().check(z.minLength(1)))),
    'Swarm only: constraints on where it runs, as "node.labels.bottles == yes" (Compose: deploy.placement.constraints).',
  ),
} as const;

const user = text.check(
  rule(
    (written) => /^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/.test(written),
    'is not a user; write uid or uid:gid, e.g. "1000:1000"',
  ),
);

const agent = z.strictObject({
  image: key(imageName, 'The image of the agent.'),
  command: key(z.optional(words), 'In place of the command of the image.'),
  entrypoint: key(z.optional(words), 'In place of the entrypoint of the image.'),
  environment: key(
    z._default(variables, {}),
    'Variables of the agent. No credentials: those belong to egress. Proxy and certificate variables are put in by the renderer.',
  ),
  working_dir: key(z.optional(absolutePath), 'Where its command runs.'),
  user: key(
    z.optional(user),
    'uid or uid:gid that it runs as. Kubernetes needs a number that is not 0; default there 1000.',
  ),
  volumes: key(z._default(z.array(volume).check(z.maxLength(64)), []), 'What it works on, as Compose writes mounts.'),
  tmpfs: key(z._default(z.array(memoryPath).check(z.maxLength(16)), ['/tmp']), 'Directories in memory.'),
  read_only: key(z._default(z.boolean(), true), 'Whether its root file system is read-only.'),
  tty: key(z._default(z.boolean(), false), 'Whether it has a terminal.'),
  stdin_open: key(z._default(z.boolean(), false), 'Whether its standard input stays open.'),
  restart: key(
    z._default(z.enum(['no', 'always', 'on-failure', 'unless-stopped']), 'no'),
    'What happens when it ends.',
  ),
  stop_grace_period: key(z._default(duration, 10_000), 'How long it has after SIGTERM.'),
  ...resources,
});

const dockerSocket = z.strictObject({
  path: key(z._default(absolutePath, '/var/run/docker.sock'), "The engine's socket on the host."),
  group: key(
    z.int().check(z.minimum(1), z.maximum(65_534)),
    'The number of the group that may use it on the host: stat -c %g /var/run/docker.sock.',
  ),
});

const sidecars = z.strictObject({
  image: key(
    z._default(imageName, 'bottled-sidecars:latest'),
    'The image of the bundle, built of Dockerfile.sidecars.',
  ),
  environment: key(
    z._default(variables, {}),
    'Settings of the bundle beside those that the renderer makes, e.g. LOG_FORMAT. No credentials: those are secrets.',
  ),
  volumes: key(
    z._default(z.array(volume).check(z.maxLength(64)), []),
    'What the daemons need beside their files, as Compose writes mounts: what tools work on, certificates of hosts of your own.',
  ),
  docker_socket: key(
    z.optional(dockerSocket),
    "For tools with driver local-docker only: mounts the engine's socket, for the user of mcp-bridge alone. Who has it owns the host.",
  ),
  ...resources,
});

const supervise = z.strictObject({
  wait: key(z._default(duration, 30_000), 'How long a call of the agent waits for a decision.'),
  expiry: key(z._default(duration, 24 * 3_600_000), 'After this time silence means no.'),
});

const secretFile = z.string().check(
  z.minLength(1),
  rule((path) => isOneLine(path), 'is not a path'),
  rule((path) => !path.startsWith('~'), 'means another directory for each user; write the whole path'),
);

const VALUE_OF_SECRET =
  'is not a map of keys; write the value into a file, and here its name: { file: ./secrets/NAME }';

const secret = z
  .strictObject(
    {
      file: key(z.optional(secretFile), 'File that holds the value. Relative to bottle.yaml.'),
      external: key(
        z.optional(z.literal(true)),
        'true: Swarm or Kubernetes has it already, under the name of the bottle, a "-", and its own. Not for Compose.',
      ),
    },
    { error: ({ code }) => (code === 'invalid_type' ? VALUE_OF_SECRET : undefined) },
  )
  .check(exactlyOne('file', 'external'));

const secretName = z
  .string()
  .check(
    rule(
      (name) => /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name),
      'is not a name of a secret: letters, digits, "_", ".", "-", at most 100',
    ),
  );

const claimSize = z.clone(byteSize).check(rule((bytes) => bytes > 0, 'claims nothing'));

const data = z.strictObject({
  driver: key(z.optional(z.string().check(z.minLength(1))), 'Driver of the volume, as in Compose.'),
  driver_opts: key(z.optional(z.record(z.string(), value)), 'Options of the driver, as in Compose.'),
  size: key(z._default(claimSize, 10 * 1024 ** 3), 'Kubernetes only: how much is claimed.'),
  storage_class: key(z.optional(z.string().check(z.minLength(1))), 'Kubernetes only: of which class.'),
});

/** `bottle.yaml`. */
export const bottleSchema = z.strictObject({
  name: key(bottleName, 'Name of the bottle: of the Compose project, the Swarm stack, the Kubernetes objects.'),
  agent: key(agent, 'The container of the agent. It has no way out but through the bundle.'),
  sidecars: key(z.prefault(sidecars, {}), 'The container of the bundle.'),
  egress: key(
    z.prefault(routesSchema, { routes: [] }),
    'Where the agent may go, and with which credentials: the content of routes.yaml. Without it, nowhere.',
  ),
  pipelock: key(
    z.optional(settingsSchema),
    'What pipelock looks at beyond its defaults: the content of pipelock.yaml.',
  ),
  git: key(
    z.optional(gateSchema),
    'Which repositories the agent works on: the content of git-gate.yaml. Without it, none.',
  ),
  supervise: key(
    z._default(z.union([z.boolean(), supervise]), true),
    'Whether the agent can ask a human. true: with the defaults.',
  ),
  mcp: key(
    z.optional(policySchema.shape.spec),
    'Which MCP tools the agent has, and what it may do with them: the spec of polis-policy.yaml. Without it, none.',
  ),
  model: key(
    z.optional(modelSchemaOf({ imageName, volume, secretName })),
    'A model server beside the bundle (vLLM), which the agent can ask by way of egress, and supervise for a second opinion.',
  ),
  secrets: key(
    z._default(z.record(secretName, secret), {}),
    'Where each credential comes from, by the name that egress (token_env), git (identity, token) or a tool (as a variable) uses. CANARY is for egress, MCP_BRIDGE_TOKEN for mcp-bridge. Each reaches the daemon that uses it, and no other.',
  ),
  data: key(z.prefault(data, {}), 'The volume that keeps what the daemons must not lose.'),
});

export type Bottle = z.output<typeof bottleSchema>;
