import * as z from 'zod';
import { parseSignal, SIGNAL_NAMES, type SignalName } from '../posix/signal-names.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { splitWords } from './words.ts';

/**
 * The shape of `bundle.yaml`. Keys are the Compose Specification's wherever it has one. `z.decode` turns a file's value
 * into what the init works with (durations in ms, lists instead of shorthands, every default filled in); `z.encode` turns
 * that back into a value that decodes to the same.
 */

const duration = z
  .codec(z.union([z.string(), z.literal(0)]), z.int().nonnegative(), {
    decode: (text, context) => {
      const milliseconds = parseDuration(String(text));
      if (milliseconds !== undefined) return milliseconds;
      context.issues.push({
        code: 'custom',
        input: text,
        message: 'is not a duration; write a number with its unit: "500ms", "10s", "1m30s"',
      });
      return z.NEVER;
    },
    encode: formatDuration,
  })
  .meta({ description: 'A duration as Compose writes it: "500ms", "10s", "1m30s".' });

const signal = z
  .codec(z.union([z.string(), z.int()]), z.enum(SIGNAL_NAMES), {
    decode: (text, context) => {
      const name = parseSignal(String(text));
      if (name !== undefined) return name;
      context.issues.push({ code: 'custom', input: text, message: 'is not a signal; write a name such as "SIGTERM"' });
      return z.NEVER;
    },
    encode: (name: SignalName) => name,
  })
  .meta({ description: 'A signal by name ("SIGTERM", "TERM") or number.' });

/** A command: a list of words, or one string that is split as a shell splits words (but never run by one). */
const command = z.codec(z.union([z.string(), z.array(z.string())]), z.array(z.string()), {
  decode: (value, context) => {
    if (typeof value !== 'string') return value;
    const words = splitWords(value);
    if (words.ok) return [...words.words];
    context.issues.push({ code: 'custom', input: value, message: words.message });
    return z.NEVER;
  },
  encode: (words) => words,
});

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** Variables as a map, or as Compose's list of `NAME=value`. A value of null means: as in the init's own environment. */
const environment = z.codec(
  z.union([z.record(z.string(), scalar), z.array(z.string())]),
  z.record(z.string(), z.union([z.string(), z.null()])),
  {
    decode: (value) => {
      const entries: [string, string | null][] = Array.isArray(value)
        ? value.map((line) => {
            const equals = line.indexOf('=');
            return equals < 0 ? [line, null] : [line.slice(0, equals), line.slice(equals + 1)];
          })
        : Object.entries(value).map(([name, item]) => [name, item === null ? null : String(item)]);
      return Object.fromEntries(entries);
    },
    encode: (map) => map,
  },
);

const oneOrMore = z.codec(z.union([z.string(), z.array(z.string())]), z.array(z.string()), {
  decode: (value) => (typeof value === 'string' ? [value] : value),
  encode: (list) => list,
});

const labels = z.codec(z.union([z.record(z.string(), scalar), z.array(z.string())]), z.record(z.string(), z.string()), {
  decode: (value) =>
    Object.fromEntries(
      Array.isArray(value)
        ? value.map((line) => {
            const equals = line.indexOf('=');
            return equals < 0 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
          })
        : Object.entries(value).map(([name, item]) => [name, item === null ? '' : String(item)]),
    ),
  encode: (map) => map,
});

const condition = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);

const dependsOn = z.codec(
  z.union([
    z.array(z.string()),
    z.record(
      z.string(),
      z.strictObject({
        condition: condition.optional().meta({ description: 'What must hold of the dependency first.' }),
        required: z.boolean().optional().meta({
          description: 'false: waits only where the dependency is selected, and its failure does not fail this daemon.',
        }),
        restart: z
          .boolean()
          .optional()
          .meta({ description: 'true: restarted after an operator restarted the dependency.' }),
      }),
    ),
  ]),
  z.record(z.string(), z.object({ condition, required: z.boolean(), restart: z.boolean() })),
  {
    decode: (value) => {
      const entries: [string, Partial<Dependency>][] = Array.isArray(value)
        ? value.map((name) => [name, {}])
        : Object.entries(value).map(([name, item]) => [name, item]);
      return Object.fromEntries(
        entries.map(([name, item]) => [
          name,
          {
            condition: item.condition ?? 'service_started',
            required: item.required ?? true,
            restart: item.restart ?? false,
          },
        ]),
      );
    },
    encode: (map) => map,
  },
);

/** One entry of `depends_on`, in Compose's long form. */
export interface Dependency {
  readonly condition: z.output<typeof condition>;
  /** false: waits only where the dependency is selected, and its failure does not fail this daemon. */
  readonly required: boolean;
  /** true: restarted after an operator restarted the dependency. */
  readonly restart: boolean;
}

const port = z.int().min(1).max(65535);

/** Compose's `healthcheck`, with three kinds of probe beside Compose's `test`. Exactly one of the four is given. */
const healthcheck = z
  .strictObject({
    test: z
      .codec(z.union([z.string(), z.array(z.string())]), z.array(z.string()), {
        decode: (value) => (typeof value === 'string' ? ['CMD-SHELL', value] : value),
        encode: (list) => list,
      })
      .optional()
      .meta({
        description: 'Compose: ["CMD", program, args…], ["CMD-SHELL", text], ["NONE"], or a text for the shell.',
      }),
    http: z
      .strictObject({
        port,
        path: z.string().startsWith('/').default('/'),
        host: z.string().default('127.0.0.1'),
        scheme: z
          .enum(['http', 'https'])
          .default('http')
          .meta({ description: 'https is not verified: a probe asks whether the daemon answers.' }),
        headers: z.record(z.string(), z.string()).default({}),
        status: z
          .array(z.int().min(100).max(599))
          .optional()
          .meta({ description: 'Codes that pass; without it 200 to 399, as in Kubernetes.' }),
      })
      .optional(),
    tcp: z.strictObject({ port, host: z.string().default('127.0.0.1') }).optional(),
    unix: z
      .strictObject({ path: z.string().min(1) })
      .optional()
      .meta({ description: 'Passes when a connection to this socket is accepted.' }),
    interval: duration.default(30_000),
    timeout: duration.default(30_000),
    retries: z.int().positive().default(3),
    start_period: duration.default(0),
    start_interval: duration.default(5_000),
    disable: z.boolean().default(false),
  })
  .refine((check) => check.disable || [check.test, check.http, check.tcp, check.unix].filter(Boolean).length === 1, {
    message: 'needs exactly one probe: test, http, tcp or unix',
  });

/** How a daemon says that it does its job now, where that is not its first passing health check. Exactly one key. */
const ready = z
  .strictObject({
    notify_fd: z
      .int()
      .min(3)
      .max(255)
      .optional()
      .meta({ description: 'Ready when it writes a newline to this file descriptor (s6).' }),
    sd_notify: z
      .literal(true)
      .optional()
      .meta({ description: 'Ready when it sends READY=1 to $NOTIFY_SOCKET (sd_notify(3)).' }),
    log: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Ready when a line of its output matches this regular expression.' }),
    after: duration.optional().meta({ description: 'Ready when it has run this long; 1s where nothing else is said.' }),
  })
  .refine((value) => Object.values(value).filter((item) => item !== undefined).length === 1, {
    message: 'needs exactly one of notify_fd, sd_notify, log, after',
  });

const restart = z
  .string()
  .regex(
    /^(no|always|unless-stopped|on-failure(:[1-9]\d*)?)$/,
    'is not one of "no", "always", "on-failure", "on-failure:<n>", "unless-stopped"',
  )
  .default('no');

const backoff = z.strictObject({
  initial: duration.default(1_000).meta({ description: 'Wait before the second restart; the first is at once.' }),
  factor: z.number().min(1).max(10).default(1.5),
  max: duration.default(30_000),
  reset_after: duration
    .default(60_000)
    .meta({ description: 'Ready this long: the count of restarts in a row starts anew.' }),
  max_attempts: z
    .union([z.int().nonnegative(), z.literal('unlimited')])
    .default(5)
    .meta({ description: 'Restarts in a row before it is failed.' }),
});

const ulimit = z.codec(
  z.union([z.int().min(-1), z.strictObject({ soft: z.int().min(-1), hard: z.int().min(-1) })]),
  z.strictObject({ soft: z.int().min(-1), hard: z.int().min(-1) }),
  { decode: (value) => (typeof value === 'number' ? { soft: value, hard: value } : value), encode: (value) => value },
);

/** Names of getrlimit(2) as Compose and prlimit(1) write them. */
export const ULIMITS = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
] as const;

const hook = z.strictObject({
  command,
  user: z.string().optional(),
  working_dir: z.string().optional(),
  environment: environment.prefault({}),
});

const exitCodes = z.array(z.int().min(0).max(255));

const secretUse = z.codec(
  z.union([z.string(), z.strictObject({ source: z.string(), target: z.string().optional() })]),
  z.strictObject({ source: z.string(), target: z.string() }),
  {
    decode: (value) =>
      typeof value === 'string'
        ? { source: value, target: value }
        : { source: value.source, target: value.target ?? value.source },
    encode: (value) => value,
  },
);

const logging = z.strictObject({
  on_full: z.enum(['block', 'drop']).default('block').meta({
    description: 'What a slow reader of the log does: block slows this daemon, drop loses lines and counts them.',
  }),
  max_line: z
    .int()
    .min(256)
    .max(1_048_576)
    .default(16_384)
    .meta({ description: 'Bytes; a longer line is split here.' }),
  ring: z
    .int()
    .min(0)
    .max(67_108_864)
    .default(262_144)
    .meta({ description: 'Bytes of latest output kept for `bottled logs`.' }),
});

const daemon = z
  .strictObject({
    command: command.default([]).meta({ description: 'Program and arguments, appended to entrypoint.' }),
    entrypoint: command.default([]),
    environment: environment.prefault({}),
    env_file: oneOrMore.default([]).meta({ description: 'Files of NAME=value lines; `environment` overrides them.' }),
    pass_environment: z.array(z.string()).default([]).meta({
      description:
        "Names or patterns (NAME_*) of the init's own environment to pass on; nothing else of it reaches the daemon.",
    }),
    depends_on: dependsOn.prefault({}),
    healthcheck: healthcheck.optional(),
    on_unhealthy: z.enum(['restart', 'ignore']).default('restart'),
    ready: ready.optional(),
    start_timeout: duration.optional().meta({
      description:
        'Not ready after this long: the start has failed. Default 90s with ready.notify_fd, sd_notify or log; else none.',
    }),
    restart,
    backoff: backoff.prefault({}),
    essential: z.boolean().default(false).meta({ description: 'true: its final end ends the bundle.' }),
    success_exit_codes: exitCodes.default([0]),
    permanent_exit_codes: exitCodes.default([]).meta({ description: 'Codes after which no restart is tried.' }),
    stop_signal: signal.default('SIGTERM'),
    stop_grace_period: duration.default(10_000),
    user: z.string().optional().meta({ description: 'User or user:group, by name or number.' }),
    group_add: z.array(z.union([z.string(), z.int().nonnegative()])).default([]),
    working_dir: z.string().optional(),
    ulimits: z.partialRecord(z.enum(ULIMITS), ulimit).default({}),
    cap_add: z.array(z.string()).default([]),
    cap_drop: z.array(z.string()).default([]),
    security_opt: z
      .array(z.enum(['no-new-privileges:true', 'no-new-privileges:false', 'no-new-privileges']))
      .default([]),
    oom_score_adj: z.int().min(-1000).max(1000).optional(),
    secrets: z
      .array(secretUse)
      .default([])
      .meta({ description: "Files under the daemon's own $CREDENTIALS_DIRECTORY, masked in logs." }),
    profiles: z.array(z.string()).default([]),
    labels: labels.prefault({}),
    post_start: z.array(hook).default([]),
    pre_stop: z.array(hook).default([]),
    logging: logging.prefault({}),
  })
  .refine((value) => value.entrypoint.length + value.command.length > 0, {
    path: ['command'],
    message: 'is missing: say what to run, e.g. command: [nginx, -g, "daemon off;"]',
  });

const signalAction = z
  .strictObject({
    signal: z.array(z.string()).min(1).optional().meta({ description: 'Deliver the signal to these daemons.' }),
    restart: z
      .array(z.string())
      .min(1)
      .optional()
      .meta({ description: 'Restart these daemons; the signal itself is not delivered.' }),
    reload: z.literal(true).optional().meta({ description: 'Read the bundle file anew.' }),
  })
  .refine((value) => Object.values(value).filter((item) => item !== undefined).length === 1, {
    message: 'needs exactly one of signal, restart, reload',
  });

/** Names of daemons become path segments, log prefixes and label values, so they are kept plain (a DNS label, with `_` and `.`). */
export const NAME = /^[a-z0-9][a-z0-9_.-]{0,62}$/i;
const NAME_MESSAGE = 'is not a name: use letters, digits, "_", "." and "-", at most 63, the first a letter or digit';

export const bundleSchema = z.strictObject({
  name: z.string().regex(NAME, NAME_MESSAGE).default('bundle'),
  exit_code: z
    .string()
    .regex(/^(worst|first|from:.+)$/, 'is not one of "worst", "first", "from:<daemon>"')
    .default('worst'),
  stop_grace_period: duration
    .default(8_000)
    .meta({ description: 'For the whole bundle; below the 10 s that Docker waits.' }),
  signals: z
    .partialRecord(z.enum(SIGNAL_NAMES), signalAction)
    .default({})
    .meta({ description: 'What the init does with a signal it gets, SIGTERM, SIGINT, SIGQUIT and SIGCHLD excepted.' }),
  secrets: z
    .record(
      z.string().regex(NAME, NAME_MESSAGE),
      z
        .strictObject({ file: z.string().optional(), environment: z.string().optional() })
        .refine((value) => (value.file === undefined) !== (value.environment === undefined), {
          message: 'needs exactly one of file, environment',
        }),
    )
    .default({}),
  control: z
    .strictObject({
      listen: z
        .string()
        .optional()
        .meta({ description: 'host:port that serves health and metrics only, e.g. "127.0.0.1:9180".' }),
    })
    .prefault({}),
  daemons: z.record(z.string().regex(NAME, NAME_MESSAGE), daemon),
});

/** A whole bundle, valid in shape, durations in ms, every default filled in. */
export type Bundle = z.output<typeof bundleSchema>;
/** One daemon of a bundle. Durations in ms. */
export type DaemonSpec = z.output<typeof daemon>;
export type Healthcheck = z.output<typeof healthcheck>;
export type Backoff = z.output<typeof backoff>;
export type Hook = z.output<typeof hook>;
export type Logging = z.output<typeof logging>;
