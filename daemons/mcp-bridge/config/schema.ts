import * as z from 'zod/mini';
import { type Json, jsonSchemaOf } from '../../../config/json-schema.ts';
import { byteSize, duration, key, refuse, rule, text } from '../../../config/values.ts';
import { listOf, policyRule } from './rule-schema.ts';

/**
 * The shape of `polis-policy.yaml`: `apiVersion`, `kind`, `metadata.name`, `spec.governance.mode` and `spec.tools[]` with name, driver and
 * image are the published schema of polis.io/v1; every other key is an extension of it.
 */

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** DNS-1123 labels of at most 40 characters, as they go into names of containers and in front of the tool's own names. */
const toolName = z
  .string()
  .check(
    rule((name) => NAME.test(name), 'is not a name: small letters, digits and "-", at most 40, no "-" at either end'),
  );

const count = (most: number) => z.int().check(z.minimum(1), z.maximum(most));

const limits = z.strictObject({
  memory: key(
    z.optional(byteSize),
    'local-docker: of the container. local: writable memory of each process (RLIMIT_DATA).',
  ),
  cpus: key(z.optional(z.number().check(z.positive(), z.maximum(1024))), 'local-docker only: how many CPUs, as 0.5.'),
  pids: key(
    z.optional(count(100_000)),
    'local-docker: processes and threads of the container, default 256. local: of the user it runs as, all together (RLIMIT_NPROC).',
  ),
  concurrent: key(z._default(count(10_000), 64), 'Calls of this tool at once. More are refused.'),
  call_timeout: key(z._default(duration, 300_000), 'How long one call may take.'),
  message_size: key(z._default(byteSize, 10 * 1024 ** 2), 'The largest message, in either direction.'),
  rate: key(
    z.optional(z.codec(text, z.custom<Rate>(), { decode: decodeRate, encode: (rate) => rate.text })),
    'Calls of this tool by one agent, as "60/1m". So many may come at once.',
  ),
});

/** So many calls within so many milliseconds. */
export interface Rate {
  readonly text: string;
  readonly calls: number;
  readonly per: number;
}

function decodeRate(written: string, payload: z.core.ParsePayload): Rate {
  const [calls = '', per = ''] = written.split('/');
  const time = z.safeDecode(duration, /^\d/.test(per) ? per : `1${per}`);
  if (!/^[1-9]\d{0,6}$/.test(calls) || !time.success || time.data === 0) {
    return refuse(payload, 'is not a rate; write calls and a duration: "60/1m", "5/s"');
  }
  return { text: written, calls: Number(calls), per: time.data };
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

const tool = z.strictObject({
  name: key(toolName, 'The name of the tool: each once.'),
  driver: key(
    z.enum(['local', 'local-docker', 'e2b']),
    'local: a process here, as the user of the bridge. local-docker: a container. e2b: a sandbox of e2b.dev.',
  ),
  image: key(
    z.optional(
      z.string().check(z.minLength(1), z.regex(/^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$/, 'is not the name of an image')),
    ),
    'local-docker: the image. e2b: the template. Not for local.',
  ),
  command: key(
    z.optional(z.union([z.string().check(z.minLength(1)), listOf(z.string(), 256)])),
    'The program, or program and arguments as a list. No shell is involved. With an image it may be left out.',
  ),
  args: key(z.optional(z.array(z.string()).check(z.maxLength(256))), 'Arguments, behind those of command.'),
  environment: key(
    z._default(z.record(z.string().check(z.regex(VARIABLE, 'is not a name of a variable')), text), {}),
    `Variables of the tool, beside PATH, HOME and the like; \${VAR} is a secret: the file VAR in $CREDENTIALS_DIRECTORY, or the variable VAR of the bridge. $$ is a dollar sign.`,
  ),
  working_dir: key(z.optional(z.string().check(z.startsWith('/'))), 'Where it runs: an absolute path.'),
  life: key(
    z._default(z.enum(['session', 'stateless']), 'session'),
    'stateless: one process for all sessions, since it remembers nothing between calls. session: a process for each session.',
  ),
  idle_timeout: key(z._default(duration, 300_000), 'life session: a process that nobody called for so long is ended.'),
  max_sessions: key(z._default(count(10_000), 32), 'life session: processes at once. One more session is refused.'),
  network: key(
    z.optional(z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'is not the name of a network'))),
    'local-docker: the network of the container. Default none.',
  ),
  limits: key(z._default(limits, z.decode(limits, {})), 'Bounds on what the tool may use and what may be asked of it.'),
  health: key(
    z._default(
      z.strictObject({
        interval: key(
          z._default(duration, 30_000),
          'How often a shared tool (life stateless) that runs is asked for a sign of life; 0: never.',
        ),
        timeout: key(z._default(duration, 10_000), 'How long it has for an answer.'),
        retries: key(z._default(count(100), 3), 'So many failures in a row and it is started anew.'),
      }),
      { interval: 30_000, timeout: 10_000, retries: 3 },
    ),
    'How the bridge finds a tool that hangs.',
  ),
});

/** `polis-policy.yaml`. */
export const policySchema = z.strictObject({
  apiVersion: key(z.literal('polis.io/v1'), 'polis.io/v1.'),
  kind: key(z.literal('Policy'), 'Policy.'),
  metadata: key(
    z.strictObject({
      name: key(z.string().check(z.minLength(1), z.maxLength(253)), 'The name of this policy, for logs.'),
    }),
    'What this file is.',
  ),
  spec: key(
    z.strictObject({
      governance: key(
        z.strictObject({
          mode: key(
            z.enum(['blocking', 'audit']),
            'blocking: rules are enforced, and what cannot be judged is refused. audit: everything passes as it is; the log tells what would have been done.',
          ),
          default: key(
            z.optional(z.enum(['allow', 'block'])),
            'What happens to requests that no rule matches. Without: block where there are rules; where there are none, clients may call every tool of this file, and what tools ask for is blocked. Results pass.',
          ),
        }),
        'How the policy is applied.',
      ),
      tools: key(z.array(tool).check(z.maxLength(200)), 'The tools that are served.'),
      rules: key(z.optional(z.array(policyRule).check(z.maxLength(1000))), 'In order: the first that matches decides.'),
      redact: key(
        z._default(
          z.strictObject({
            known_secrets: key(
              z._default(z.boolean(), true),
              `true: every secret that \${VAR} put into this file, and every credential of MCP_BRIDGE_KNOWN_SECRETS, is hidden in what tools send, in every usual encoding.`,
            ),
            scanner: key(
              z._default(z.boolean(), false),
              'true: what tools send is scanned for tokens of any kind, and texts that hold one are withheld.',
            ),
          }),
          { known_secrets: true, scanner: false },
        ),
        'What is hidden in everything that tools send, in blocking mode.',
      ),
    }),
    'The policy.',
  ),
});

export type PolicyFile = z.output<typeof policySchema>;
export type ToolEntry = PolicyFile['spec']['tools'][number];

/** The JSON Schema of `polis-policy.yaml`. */
export function policyJsonSchema(): Json {
  return jsonSchemaOf(policySchema, {
    id: 'polis-policy.schema.json',
    title: 'polis-policy.yaml',
    description: 'The tools that mcp-bridge serves, and the rules for what they are asked and what they answer.',
  });
}
