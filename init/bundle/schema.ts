import * as z from 'zod/mini';
import { duration, exactlyOne, key, text } from '../../config/values.ts';
import { controlSchema } from './control.ts';
import { dataDirectory } from './data.ts';
import { healthcheck, ready } from './healthcheck.ts';
import { CAPABILITIES, FREE_SIGNALS, ULIMITS } from './names.ts';
import { command, environment, labels, name, signal } from './values.ts';

/**
 * The shape of `bundle.yaml`. Keys are the Compose Specification's wherever it has one. `z.decode` turns a file's value
 * into what the init works with (durations in ms, lists instead of shorthands, every default filled in); `z.encode` turns
 * that back into a value that decodes to the same. It is the small build of zod because PID 1 loads it at each start.
 */

export { NAME, ULIMITS } from './names.ts';

const condition = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);

const dependsOn = z.codec(
  z.union([
    z.array(z.string()),
    z.record(
      z.string(),
      z.strictObject({
        condition: key(z.optional(condition), 'What must hold of the dependency first; service_started by default.'),
        required: key(
          z.optional(z.boolean()),
          'false: waits only where the dependency is selected, and its failure does not fail this daemon. Default true.',
        ),
        restart: key(
          z.optional(z.boolean()),
          'true: restarted after an operator restarted the dependency. Default false.',
        ),
      }),
    ),
  ]),
  z.record(z.string(), z.object({ condition, required: z.boolean(), restart: z.boolean() })),
  {
    decode: (value) => {
      const entries: [string, Partial<Dependency>][] = Array.isArray(value)
        ? value.map((daemon) => [daemon, {}])
        : Object.entries(value).map(([daemon, item]) => [daemon, item]);
      return Object.fromEntries(
        entries.map(([daemon, item]) => [
          daemon,
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

const RESTART = /^(no|always|unless-stopped|on-failure(:[1-9]\d{0,8})?)$/;

const restart = z.string().check((payload) => {
  if (RESTART.test(payload.value)) return;
  payload.issues.push({
    code: 'custom',
    input: payload.value,
    message: 'is not one of "no", "always", "on-failure", "on-failure:<n>", "unless-stopped"',
    params: { known: ['no', 'always', 'on-failure', 'unless-stopped'] },
  });
});

const backoff = z.strictObject({
  at_once: key(z._default(z.boolean(), true), 'The first restart does not wait. false: it waits for `initial`.'),
  initial: key(
    z._default(duration, 1_000),
    'The first wait: before the second restart, or with at_once: false the first.',
  ),
  factor: key(
    z._default(z.number().check(z.minimum(1), z.maximum(10)), 1.5),
    'Each further wait is this many times the one before.',
  ),
  max: key(z._default(duration, 30_000), 'The longest wait.'),
  jitter: key(
    z._default(z.number().check(z.minimum(0), z.maximum(0.5)), 0.1),
    'How far a wait may be off by chance, as a part of it, so that many do not come back at one time; 0: not at all.',
  ),
  unit: key(z._default(duration, 0), 'Waits are cut down to whole multiples of this, 1s say; 0s: they are not.'),
  reset_after: key(z._default(duration, 60_000), 'Ready this long: the count of restarts in a row starts anew.'),
  max_attempts: key(
    z._default(z.union([z.int().check(z.nonnegative()), z.literal('unlimited')]), 5),
    'Restarts in a row before it is failed, or "unlimited". The n of restart: on-failure:n comes first.',
  ),
});

const LIMIT = z.int().check(z.minimum(-1));

const ulimit = z.codec(
  z.union([
    z.int().check(z.minimum(-1)),
    z.strictObject({ soft: key(z.clone(LIMIT), 'The soft limit.'), hard: key(z.clone(LIMIT), 'The hard limit.') }),
  ]),
  z.strictObject({ soft: LIMIT, hard: LIMIT }),
  { decode: (value) => (typeof value === 'number' ? { soft: value, hard: value } : value), encode: (value) => value },
);

const hook = z.strictObject({
  command: key(z.clone(command), 'Program and arguments.'),
  user: key(z.optional(text), "Default: the daemon's user."),
  working_dir: key(z.optional(z.string()), "Default: the daemon's working_dir."),
  environment: key(z._default(environment, {}), "Variables on top of the daemon's own."),
});

const exitCodes = z.array(z.int().check(z.minimum(0), z.maximum(255)));

const secretUse = z.codec(
  z.union([
    z.string(),
    z.strictObject({
      source: key(z.string(), 'Name of the secret.'),
      target: key(
        z.optional(name),
        'Name of its file in $CREDENTIALS_DIRECTORY; default: its source. Not for a directory, whose files keep their names.',
      ),
    }),
  ]),
  z.strictObject({ source: z.string(), target: z.string() }),
  {
    decode: (value) =>
      typeof value === 'string'
        ? { source: value, target: value }
        : { source: value.source, target: value.target ?? value.source },
    encode: (value) => value,
  },
);

const envFile = z.codec(
  z.union([
    z.string(),
    z.array(
      z.union([
        z.string(),
        z.strictObject({
          path: key(z.string(), 'The file.'),
          required: key(z.optional(z.boolean()), 'false: a missing file is no error. Default true.'),
          format: key(z.optional(z.literal('raw')), 'raw: values are taken as they stand, quotes and all.'),
        }),
      ]),
    ),
  ]),
  z.array(
    z.strictObject({ path: z.string(), required: z.optional(z.boolean()), format: z.optional(z.literal('raw')) }),
  ),
  {
    decode: (value) =>
      (typeof value === 'string' ? [value] : value).map((item) => (typeof item === 'string' ? { path: item } : item)),
    encode: (list) => list,
  },
);

const logging = z.strictObject({
  on_full: key(
    z._default(z.enum(['block', 'drop']), 'block'),
    'What a slow reader of the log does: block slows this daemon, drop loses lines and counts them.',
  ),
  max_line: key(
    z._default(z.int().check(z.minimum(256), z.maximum(1_048_576)), 16_384),
    'Bytes; a longer line is split here.',
  ),
  ring: key(
    z._default(z.int().check(z.minimum(0), z.maximum(67_108_864)), 262_144),
    'Bytes of latest output kept for `bottled logs`.',
  ),
});

const capability = z.string().check((payload) => {
  const upper = payload.value.toUpperCase().replace(/^CAP_/, '');
  if (upper === 'ALL' || CAPABILITIES.includes(upper)) return;
  payload.issues.push({
    code: 'custom',
    input: payload.value,
    message: 'is not a capability of capabilities(7), nor ALL',
    params: { known: CAPABILITIES },
  });
});

const daemon = z
  .strictObject({
    command: key(z._default(command, []), 'Program and arguments, appended to entrypoint. A text is split into words.'),
    entrypoint: key(z._default(command, []), 'Program and first arguments, put in front of command.'),
    fallback_command: key(
      z._default(command, []),
      'Program and arguments, a static build say: started once in place of entrypoint and command where these can never run here (not found, not executable, wrong processor, missing library, newer C library).',
    ),
    environment: key(
      z._default(environment, {}),
      "Variables as a map or a list of NAME=value. Without a value: as in the init's own environment.",
    ),
    env_file: key(z._default(envFile, []), 'Files of NAME=value lines; `environment` overrides them.'),
    pass_environment: key(
      z._default(z.array(z.string()), []),
      "Names or patterns (NAME_*) of the init's own environment to pass on; nothing else of it reaches the daemon.",
    ),
    depends_on: key(
      z._default(dependsOn, {}),
      'Daemons that start first: a list of names, or a map of names to conditions.',
    ),
    healthcheck: key(z.optional(healthcheck), 'Probe: its first success makes the daemon ready.'),
    on_unhealthy: key(
      z._default(z.enum(['restart', 'ignore']), 'restart'),
      'What follows when the healthcheck finds it unhealthy.',
    ),
    ready: key(z.optional(ready), 'How it says that it is ready, where that is not its healthcheck. Exactly one key.'),
    start_timeout: key(
      z.optional(duration),
      'Not ready after this long: the start has failed. Default 90s with ready.notify_fd, sd_notify or log; else none.',
    ),
    restart: key(z._default(restart, 'no'), 'no, always, on-failure, on-failure:<n> or unless-stopped.'),
    backoff: key(z.prefault(backoff, {}), 'Waits between restarts, and their number.'),
    essential: key(z._default(z.boolean(), false), 'true: its final end ends the bundle.'),
    success_exit_codes: key(z._default(exitCodes, [0]), 'Codes that count as a good end.'),
    permanent_exit_codes: key(z._default(exitCodes, []), 'Codes after which no restart is tried.'),
    stop_signal: key(z._default(signal, 'SIGTERM'), 'Sent to its process group to stop it: a name or a number.'),
    stop_grace_period: key(z._default(duration, 10_000), 'From stop_signal to SIGKILL.'),
    user: key(z.optional(text), "user or user:group, by name or number; empty or absent: the init's own."),
    group_add: key(
      z._default(z.array(z.union([z.string(), z.int().check(z.nonnegative())])), []),
      'Further groups, by name or number.',
    ),
    working_dir: key(z.optional(z.string()), 'Where it runs. Relative to the bundle file; default: its directory.'),
    ulimits: key(
      z._default(z.partialRecord(z.enum(ULIMITS), ulimit), {}),
      'Limits of setrlimit(2), e.g. nofile: 1024 or { soft, hard }; -1: none.',
    ),
    cap_add: key(z._default(z.array(capability), []), 'Capabilities to keep.'),
    cap_drop: key(z._default(z.array(capability), []), 'Capabilities to drop, or ALL.'),
    security_opt: key(
      z._default(z.array(z.enum(['no-new-privileges:true', 'no-new-privileges:false', 'no-new-privileges'])), []),
      'no-new-privileges:true keeps it from gaining privileges by setuid programs.',
    ),
    oom_score_adj: key(
      z.optional(z.int().check(z.minimum(-1000), z.maximum(1000))),
      'Higher: killed earlier when memory runs out.',
    ),
    data: key(
      z._default(z.array(dataDirectory), []),
      'Directories that it keeps data in: paths, or maps. Before each start they are made where they are missing, and a new one is given to its user.',
    ),
    config: key(
      z._default(z.array(z.string()), []),
      'Files and directories that configure it and that people change while it runs. `bottled backup` takes them; the init neither makes nor reads them. Relative to the bundle file.',
    ),
    secrets: key(
      z._default(z.array(secretUse), []),
      "Files under the daemon's own $CREDENTIALS_DIRECTORY, masked in logs.",
    ),
    profiles: key(
      z._default(z.array(z.string()), []),
      'It runs only where one of these is in BOTTLED_PROFILES or COMPOSE_PROFILES, or it is named in --only.',
    ),
    labels: key(z._default(labels, {}), 'Names and values for whoever reads the status.'),
    post_start: key(z._default(z.array(hook), []), 'Programs to run one after another after each start.'),
    pre_stop: key(z._default(z.array(hook), []), 'Programs to run one after another before stop_signal is sent.'),
    logging: key(z.prefault(logging, {}), 'How its output is read and kept.'),
    purpose: key(
      z._default(z.string(), ''),
      'What it is for, for a human. This and the next three stand in `bottled manifest`.',
    ),
    source: key(z._default(z.string(), ''), 'Where its code is: a folder, a repository, an image.'),
    install: key(z._default(z.string(), ''), 'Command that installs it.'),
    log: key(z._default(z.string(), ''), 'Where its log is, where that is not its output.'),
  })
  .check(
    z.refine(
      (value) =>
        !(Array.isArray(value.entrypoint) && Array.isArray(value.command)) ||
        value.entrypoint.length + value.command.length > 0,
      {
        path: ['command'],
        error: 'is missing: say what to run, e.g. command: [nginx, -g, "daemon off;"]',
        when: (payload) => typeof payload.value === 'object' && payload.value !== null,
      },
    ),
  );

const signalAction = z
  .strictObject({
    signal: key(z.optional(z.array(z.string())), 'Deliver the signal to these daemons; [] ignores it.'),
    restart: key(z.optional(z.array(z.string())), 'Restart these daemons; the signal itself is not delivered.'),
    reload: key(z.optional(z.literal(true)), 'Read the bundle file anew.'),
  })
  .check(exactlyOne('signal', 'restart', 'reload'));

const secret = z
  .strictObject({
    file: key(z.optional(z.string()), 'File that holds the value. Relative to the bundle file.'),
    environment: key(z.optional(z.string()), "Variable of the init's own environment that holds the value."),
    directory: key(
      z.optional(z.string()),
      'Directory of which each file is a secret under its own name. Relative to the bundle file; empty, or not there: none.',
    ),
  })
  .check(exactlyOne('file', 'environment', 'directory'));

const EXIT_CODE = /^(worst|first|from:.+)$/;

export const bundleSchema = z.strictObject({
  name: key(z._default(name, 'bundle'), 'Name of the bundle in status, logs and metrics.'),
  exit_code: key(
    z._default(z.string().check(z.regex(EXIT_CODE, 'is not one of "worst", "first", "from:<daemon>"')), 'worst'),
    'Which end decides the exit code: worst, first, or from:<daemon>.',
  ),
  stop_grace_period: key(z._default(duration, 8_000), 'For the whole bundle; below the 10 s that Docker waits.'),
  signals: key(
    z._default(z.partialRecord(z.enum(FREE_SIGNALS), signalAction), {}),
    'What the init does with a signal it gets. SIGTERM, SIGINT, SIGQUIT and SIGCHLD have their fixed meaning.',
  ),
  secrets: key(z._default(z.record(name, secret), {}), 'Secrets that daemons may use, by name.'),
  control: key(z.prefault(controlSchema, {}), 'The control API beside its unix socket.'),
  daemons: key(
    z.record(name, daemon).check(
      z.refine((daemons) => Object.keys(daemons).length > 0, {
        error: 'is empty: name at least one daemon',
      }),
    ),
    'The daemons by name.',
  ),
});

/** A whole bundle, valid in shape, durations in ms, every default filled in. */
export type Bundle = z.output<typeof bundleSchema>;
/** One daemon of a bundle. Durations in ms. */
export type DaemonSpec = z.output<typeof daemon>;
export type Healthcheck = z.output<typeof healthcheck>;
export type Backoff = z.output<typeof backoff>;
export type Hook = z.output<typeof hook>;
export type Logging = z.output<typeof logging>;
export type DataDirectory = z.output<typeof dataDirectory>;
