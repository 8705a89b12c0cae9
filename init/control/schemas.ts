import * as z from 'zod/mini';
import { key } from '../../config/values.ts';
import { HEALTH_STATUSES } from '../../healthcheck/aggregate.ts';
import type { HealthJson } from '../../healthcheck/health-json.ts';
import { CAUSES } from '../lifecycle/cause.ts';
import { PLANES } from '../lifecycle/event.ts';
import { STATUSES } from '../lifecycle/state.ts';
import { type BundleStatus, type DaemonStatus, type HistoryEntry, LAYOUTS } from '../status.ts';
import { DENIALS } from './admission.ts';
import type { AuditEntry } from './audit.ts';
import type { InitCapabilities } from './capabilities.ts';

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
  fallback: key(z.boolean(), 'It runs its fallback_command, since its command cannot run here.'),
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

const plane = z.enum(PLANES);

const Commands = z.object({
  total: key(z.int(), 'Since the init started, refused ones too.'),
  by_plane: key(z.readonly(z.record(plane, z.int())), 'By control plane.'),
  last_by_plane: key(z.readonly(z.record(plane, z.nullable(z.string()))), 'When the last one came by each, RFC 3339.'),
  last_plane: key(z.nullable(z.enum(PLANES)), 'By which the last one came.'),
  last_time: key(z.nullable(z.string()), 'And when, RFC 3339.'),
});

const Token = z.object({
  name: z.enum(['read', 'operate']),
  source: z.enum(['file', 'environment', 'vault']),
  known: key(z.boolean(), 'Its source has answered: there is one in force.'),
  last_refresh_ok: key(z.nullable(z.boolean()), 'Null before the first answer.'),
  age_ms: key(z.nullable(z.number()), 'Since its source last said what it is.'),
  refresh_failures: z.int(),
});

const Control = z.object({
  commands: Commands,
  tokens: key(z.readonly(z.array(Token)), 'The bearer tokens that the bundle names; never their values.'),
  denied: key(z.readonly(z.record(z.enum(DENIALS), z.int())), 'Requests that were not let in, by reason.'),
});

const Status = z.object({
  bundle: z.object({
    name: z.string(),
    health: z.enum(HEALTH_STATUSES),
    version: key(z.string(), 'Version of bottled.'),
    pid: key(z.int(), 'Process id of the init.'),
    uptime_ms: z.number(),
    file: key(z.string(), 'The bundle file, by its absolute path.'),
    sha256: key(z.string(), 'SHA-256 of the bundle file that is in force, in hex.'),
    ending: key(z.nullable(z.string()), 'Why the bundle is ending; null while it is not.'),
  }),
  daemons: z.readonly(z.array(Daemon)),
  control: Control,
});

const Event = z.object({
  id: key(z.int().check(z.minimum(1)), 'Counts up from 1 without gaps.'),
  time: key(z.string(), 'Wall time, RFC 3339.'),
  type: z.enum(['changed', 'incident', 'answer', 'ending']),
  daemon: z.exactOptional(z.string()),
  incarnation: key(z.exactOptional(z.int()), 'Number of the start of the daemon that it is about.'),
  pid: z.exactOptional(z.int()),
  from: z.exactOptional(z.enum(STATUSES)),
  to: z.exactOptional(z.enum(STATUSES)),
  ready: z.exactOptional(z.boolean()),
  cause: z.exactOptional(z.enum(CAUSES)),
  plane: key(z.exactOptional(z.enum(PLANES)), 'The control plane that a command came by.'),
  who: key(z.exactOptional(z.string()), 'Who gave it, as far as the control plane knows.'),
  command: key(z.exactOptional(z.string()), 'What was asked, in a word or two.'),
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
  control_plane: key(plane, 'The one that this request came by, and a command of its sender would be recorded with.'),
  planes: key(z.readonly(z.array(plane)), 'Ways by which a command can come; each is counted.'),
  access: key(z.readonly(z.array(z.enum(['health', 'read', 'operate']))), 'What the sender may use.'),
  features: key(z.readonly(z.array(z.string())), 'What the sender may do, in the words of dashboards.'),
  layout: key(z.enum(LAYOUTS), 'bundle: all daemons in this container; split: one in each, the legacy layout.'),
  compose_agent: key(z.boolean(), 'The layout in the word of other generations: false in the legacy layout.'),
  daemons: z.readonly(
    z.array(
      z.object({
        name: z.string(),
        essential: z.boolean(),
        restart: z.string(),
        probe: key(
          z.nullable(
            z.object({
              kind: z.enum(['http', 'tcp', 'unix', 'command']),
              target: z.nullable(z.string()),
              interval_ms: z.number(),
              timeout_ms: z.number(),
            }),
          ),
          'How it is probed; null where it is not.',
        ),
      }),
    ),
  ),
  routes: z.readonly(
    z.array(z.object({ method: z.string(), path: z.string(), access: z.enum(['health', 'read', 'operate']) })),
  ),
});

const Audit = z.object({
  entries: z.readonly(
    z.array(
      z.object({
        time: key(z.string(), 'Wall time, RFC 3339.'),
        plane,
        who: key(z.nullable(z.string()), 'As far as the control plane knows: "uid 0 (pid 42)".'),
        command: key(z.string(), '"restart", "signal SIGHUP", "reload"; for a signal that ends the bundle its name.'),
        daemon: key(z.nullable(z.string()), 'Null where it is about the whole bundle.'),
        result: z.enum(['accepted', 'refused']),
        text: key(z.string(), 'In words: what was done, or why not.'),
      }),
    ),
  ),
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
  commands: key(z.exactOptional(Commands), 'Commands so far, by control plane; of /healthz only.'),
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
  Audit,
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
  Same<Required<Omit<Answered<'Health'>, 'commands'>>, Required<HealthJson>>,
  Same<Answered<'Audit'>['entries'][number], AuditEntry>,
  Same<Pick<Answered<'Capabilities'>, 'layout' | 'daemons'>, InitCapabilities>,
] = [true, true, true, true, true, true];
