import * as z from 'zod/mini';
import { key } from '../../config/values.ts';
import { HEALTH_STATUSES } from '../../healthcheck/aggregate.ts';
import type { HealthJson } from '../../healthcheck/health-json.ts';
import { CAUSES } from '../lifecycle/cause.ts';
import { STATUSES } from '../lifecycle/state.ts';
import type { BundleStatus, DaemonStatus, HistoryEntry } from '../status.ts';

/**
 * What the control API answers, as schemas. Only documents are made from them (nothing is parsed), so they are loaded only
 * when somebody asks for a document.
 */

const Daemon = z.object({
  name: z.string(),
  state: z.enum(STATUSES),
  ready: z.boolean(),
  essential: z.boolean(),
  pid: key(z.nullable(z.int()), 'Its first process, while there is one.'),
  restarts: key(z.int(), 'Restarts since the bundle started.'),
  cause: key(z.nullable(z.enum(CAUSES)), 'The last failure, kept until the next one.'),
  detail: key(z.nullable(z.string()), 'What was seen of that failure.'),
  hint: key(z.nullable(z.string()), 'What to do about it.'),
  exit_code: key(z.nullable(z.int()), 'Code of its last end, 128 + n after signal n; null before the first.'),
  waiting_for: key(z.nullable(z.string()), 'In words: a dependency, a retry, a probe.'),
  remark: key(
    z.nullable(z.string()),
    'What a ready daemon wants to be known: the `warning` in the JSON of its HTTP probe.',
  ),
  state_for_ms: key(z.number(), 'How long it has been in this state.'),
  cpu: key(z.nullable(z.number()), 'Processor time per wall time since the last look; 1 is one core.'),
  memory_bytes: key(z.nullable(z.number()), 'Resident memory over all its processes.'),
});

const Status = z.object({
  bundle: z.object({
    name: z.string(),
    health: z.enum(HEALTH_STATUSES),
    version: key(z.string(), 'Version of bottled.'),
    pid: key(z.int(), 'Process id of the init.'),
    uptime_ms: z.number(),
    ending: key(z.nullable(z.string()), 'Why the bundle is ending; null while it is not.'),
  }),
  daemons: z.readonly(z.array(Daemon)),
});

const Event = z.object({
  id: key(z.int().check(z.minimum(1)), 'Counts up from 1 without gaps.'),
  time: key(z.string(), 'Wall time, RFC 3339.'),
  type: z.enum(['changed', 'incident', 'answer', 'ending', 'fault']),
  daemon: z.exactOptional(z.string()),
  incarnation: key(z.exactOptional(z.int()), 'Number of the start of the daemon that it is about.'),
  pid: z.exactOptional(z.int()),
  from: z.exactOptional(z.enum(STATUSES)),
  to: z.exactOptional(z.enum(STATUSES)),
  ready: z.exactOptional(z.boolean()),
  cause: z.exactOptional(z.enum(CAUSES)),
  plane: key(z.exactOptional(z.string()), 'The control plane that a command came by.'),
  accepted: z.exactOptional(z.boolean()),
  text: key(z.string(), 'In words: what happened and what comes next.'),
});

const Events = z.object({ events: z.readonly(z.array(Event)) });

const LogLine = z.object({
  time: key(z.string(), 'Wall time at which it was read, RFC 3339.'),
  daemon: z.string(),
  stream: z.enum(['stdout', 'stderr']),
  message: key(z.string(), 'One whole line, known secrets masked.'),
});

const CommandResult = z.object({
  daemon: z.string(),
  accepted: z.literal(true),
  reached: key(z.boolean(), 'The wanted state is reached; always false where `wait` was 0.'),
  state: z.nullable(z.enum(STATUSES)),
  text: z.string(),
});

const SignalResult = z.object({ daemon: z.string(), accepted: z.literal(true), text: z.string() });

const ReloadResult = z.object({ accepted: z.literal(true), text: z.string() });

const Capabilities = z.object({
  api: z.literal('v1'),
  version: key(z.string(), 'Version of bottled.'),
  daemons: z.readonly(z.array(z.string())),
  routes: z.readonly(
    z.array(z.object({ method: z.string(), path: z.string(), access: z.enum(['health', 'read', 'operate']) })),
  ),
  planes: key(z.readonly(z.array(z.string())), 'Ways by which a command can come; each is counted.'),
});

const checkStatus = z.enum(['pass', 'warn', 'fail']);

const Health = z.object({
  status: key(z.enum(checkStatus.options), 'pass: healthy; warn: degraded; fail: starting or unhealthy.'),
  version: z.exactOptional(z.string()),
  description: z.exactOptional(z.string()),
  output: key(z.exactOptional(z.string()), 'In words, where the status is not pass.'),
  checks: key(
    z.exactOptional(
      z.record(
        z.string(),
        z.readonly(
          z.array(
            z.object({
              componentId: key(z.string(), 'Name of the daemon.'),
              componentType: z.literal('component'),
              status: checkStatus,
              time: z.string(),
              output: key(z.exactOptional(z.string()), 'Why it does not pass.'),
            }),
          ),
        ),
      ),
    ),
    'Keyed by "<daemon>:ready"; of /healthz only.',
  ),
});

const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: key(z.string(), 'One sentence: what is wrong and what to do.'),
});

/** Every schema that has a name in the OpenAPI document. */
export const SCHEMAS = {
  Status,
  Daemon,
  Events,
  Event,
  LogLine,
  CommandResult,
  SignalResult,
  ReloadResult,
  Capabilities,
  Health,
  Problem,
} as const;

export type SchemaName = keyof typeof SCHEMAS;

/** What an answer of this schema is. */
export type Answered<Name extends SchemaName> = z.output<(typeof SCHEMAS)[Name]>;

/** Holds only where both types say the same. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;

/** Fails to compile where a schema and the type that the init works with have drifted apart. */
export const AGREES: readonly [
  Same<Answered<'Daemon'>, DaemonStatus>,
  Same<Answered<'Status'>, BundleStatus>,
  Same<Answered<'Event'>, HistoryEntry>,
  Same<Required<Answered<'Health'>>, Required<HealthJson>>,
] = [true, true, true, true];
