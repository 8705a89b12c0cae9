import type { Verb } from './verb.ts';

/** Every verb of `bottled`, in the order of its help. */

const socket = {
  type: 'string',
  value: 'PATH',
  summary:
    "The init's control socket. Default: $BOTTLED_SOCKET, /run/bottled/control.sock, $XDG_RUNTIME_DIR/bottled/control.sock.",
} as const;
const json = { type: 'boolean', summary: 'Print JSON, exactly as the control API answers it.' } as const;
const file = { type: 'string', short: 'f', value: 'FILE', summary: 'The bundle file.' } as const;
const only = {
  type: 'string',
  value: 'a,b',
  summary: 'Take only these daemons. Default: $BOTTLED_DAEMONS, else all.',
} as const;

const waiting = {
  all: { type: 'boolean', summary: 'All daemons of the bundle.' },
  'no-wait': { type: 'boolean', summary: 'Return as soon as the init has accepted the command.' },
  timeout: { type: 'string', value: 'TIME', summary: 'Wait at most this long, "90s" say. Default: 60s.' },
  json,
  socket,
} as const;

const superviseSocket = {
  type: 'string',
  value: 'PATH',
  summary:
    "supervise's socket for operators. Default: $BOTTLED_SUPERVISE_SOCKET, else supervise/operator.sock in $BOTTLED_DATA.",
} as const;

const FILE_DETAILS = 'Without a file: ./bundle.yaml, then /etc/bottled/bundle.yaml.';

export const VERBS = {
  run: {
    name: 'run',
    summary: 'Run a bundle, as PID 1 or in the foreground',
    usage: '[-f FILE] [--only a,b] [--socket PATH] [--log-format text|json|raw]',
    options: {
      file,
      only,
      socket: {
        ...socket,
        summary:
          'Where to make the control socket. Default: $BOTTLED_SOCKET, else the first of /run/bottled and $XDG_RUNTIME_DIR/bottled that can be written.',
      },
      'log-format': {
        type: 'string',
        value: 'FORMAT',
        summary:
          'text: "name | line"; json: one object per line; raw: the line alone. Default: text on a terminal, else json.',
        choices: ['text', 'json', 'raw'],
      },
    },
    arguments: { min: 0, max: 0 },
    completion: 'none',
    details: `Starts the daemons in order, keeps them alive, and ends with the bundle's exit code. ${FILE_DETAILS}`,
    examples: [
      ['bottled run -f bundle.yaml', 'run all daemons of the file'],
      ['bottled run --only egress,pipelock', 'run two of them'],
    ],
    exits:
      "the bundle's own (see exit codes of a bundle); 2: the bundle file is not valid, nothing was started; 70: the init had an internal fault",
  },
  exec: {
    name: 'exec',
    summary: 'Run one command as its init: a drop-in for tini and dumb-init',
    usage: '[-s] [-g] [-v] [--] COMMAND [ARGUMENT...]',
    options: {
      s: {
        type: 'boolean',
        summary:
          'Adopt orphans also where not PID 1: done anyway where possible, with -s it is an error where it is not.',
      },
      g: { type: 'boolean', summary: "Pass signals to the command's whole process group." },
      v: { type: 'boolean', summary: 'Tell on stderr what happens.' },
    },
    arguments: { min: 1, max: Number.POSITIVE_INFINITY },
    completion: 'file',
    details: 'Passes every signal on, reaps every orphan, and ends as the command ends.',
    examples: [['bottled exec -g -- node server.js', 'run one server with signals to its whole group']],
    exits: "the command's own, 128 + n after signal n; 126 or 127 where it cannot be run",
  },
  status: {
    name: 'status',
    summary: 'Show the bundle and its daemons',
    usage: '[--json] [-q] [NAME...]',
    options: { json, quiet: { type: 'boolean', short: 'q', summary: 'Print the names of the daemons only.' }, socket },
    arguments: { min: 0, max: Number.POSITIVE_INFINITY },
    completion: 'daemons',
    examples: [
      ['bottled status', 'all daemons'],
      ['bottled status --json | jq .bundle.health', 'the health as one word'],
    ],
    exits: [0, 1, 2, 3, 4],
  },
  logs: {
    name: 'logs',
    summary: 'Show what the daemons wrote',
    usage: '[-f] [-n LINES] [--json] [--no-prefix] [NAME...]',
    options: {
      follow: { type: 'boolean', short: 'f', summary: 'Go on with each new line.' },
      lines: {
        type: 'string',
        short: 'n',
        value: 'LINES',
        summary: 'How many of the latest lines; "all" for all that is kept. Default: 100.',
      },
      'no-prefix': { type: 'boolean', summary: 'Print the lines without the name of the daemon.' },
      json: { type: 'boolean', summary: 'Print one JSON object per line.' },
      socket,
    },
    arguments: { min: 0, max: Number.POSITIVE_INFINITY },
    completion: 'daemons',
    details:
      'On a terminal, control characters other than colours are shown as \\x1b and the like, so that a daemon cannot write to the terminal.',
    examples: [
      ['bottled logs -f egress', 'the last 100 lines of egress and what follows'],
      ['bottled logs -n all --json', 'all that is kept, for a program'],
    ],
    exits: [0, 1, 2, 3, 4],
  },
  events: {
    name: 'events',
    summary: 'Show what happened: changes of state, incidents, commands',
    usage: '[-f | --commands] [--json]',
    options: {
      follow: { type: 'boolean', short: 'f', summary: 'Go on with each new event.' },
      commands: {
        type: 'boolean',
        summary: 'Only commands, with who gave them; of before the last start, too, where control.audit keeps them.',
      },
      json: { type: 'boolean', summary: 'Print one JSON object per line.' },
      socket,
    },
    arguments: { min: 0, max: 0 },
    completion: 'none',
    examples: [
      ['bottled events -f', 'the history that is kept and what follows'],
      ['bottled events --commands', 'who has commanded what'],
    ],
    exits: [0, 1, 2, 4],
  },
  start: {
    name: 'start',
    summary: 'Start daemons and wait until they are ready',
    usage: '[--no-wait] [--timeout TIME] NAME...|--all',
    options: waiting,
    arguments: { min: 0, max: Number.POSITIVE_INFINITY },
    completion: 'daemons',
    examples: [['bottled start git-gate', 'start one and wait until it is ready']],
    exits: [0, 1, 2, 3, 4],
  },
  stop: {
    name: 'stop',
    summary: 'Stop daemons; they stay stopped until they are started',
    usage: '[--no-wait] [--timeout TIME] NAME...|--all',
    options: waiting,
    arguments: { min: 0, max: Number.POSITIVE_INFINITY },
    completion: 'daemons',
    examples: [['bottled stop --no-wait git-gate', 'ask for the stop and return at once']],
    exits: [0, 1, 2, 3, 4],
  },
  restart: {
    name: 'restart',
    summary: 'Stop daemons and start them again',
    usage: '[--no-wait] [--timeout TIME] NAME...|--all',
    options: waiting,
    arguments: { min: 0, max: Number.POSITIVE_INFINITY },
    completion: 'daemons',
    examples: [['bottled restart --timeout 2m egress', 'with more patience than 60s']],
    exits: [0, 1, 2, 3, 4],
  },
  signal: {
    name: 'signal',
    summary: 'Send a signal to daemons',
    usage: 'SIGNAL NAME...|--all',
    options: { all: waiting.all, json, socket },
    arguments: { min: 1, max: Number.POSITIVE_INFINITY },
    completion: 'signal, then daemons',
    examples: [['bottled signal HUP egress', 'let egress read its routes anew']],
    exits: [0, 1, 2, 3, 4],
  },
  reload: {
    name: 'reload',
    summary: 'Read the bundle file anew; only what has changed is touched',
    usage: '[--json]',
    options: { json, socket },
    arguments: { min: 0, max: 0 },
    completion: 'none',
    details: 'A file that is not valid changes nothing; what is wrong with it is printed.',
    examples: [['bottled check && bottled reload', 'look at the file first']],
    exits: [0, 1, 2, 4],
  },
  health: {
    name: 'health',
    summary: 'Tell whether the bundle is healthy',
    usage: '[--strict] [--json] [--timeout TIME]',
    options: {
      strict: { type: 'boolean', summary: 'A degraded bundle is not healthy enough.' },
      json,
      timeout: { type: 'string', value: 'TIME', summary: 'Wait at most this long, up to 5s. Default: 3s.' },
      socket,
    },
    arguments: { min: 0, max: 0 },
    completion: 'none',
    details: 'Ends within 5 s, whatever happens. An init that does not answer in time is unhealthy.',
    examples: [['bottled health --strict', 'also fail while degraded']],
    exits: [0, 1, 2, 4],
  },
  audit: {
    name: 'audit',
    summary: 'Compare what runs with what is declared, and name each drift with its remedy',
    usage: '[--json] [-f FILE] [--compose FILE] | --pin',
    options: {
      json: { type: 'boolean', summary: 'Print JSON: the counts, and each row.' },
      file: {
        type: 'string',
        short: 'f',
        value: 'FILE',
        summary: 'The bundle file that says how things are to be. Default: that of the init.',
      },
      compose: {
        type: 'string',
        value: 'FILE',
        summary: 'On the host: audit the project of this rendered compose.yaml, and each bundle in it.',
      },
      pin: {
        type: 'boolean',
        summary:
          'Record programs and files as they are now; the image is built with it. Where: $BOTTLED_PINS, else pins.json beside bottled.',
      },
      socket,
    },
    arguments: { min: 0, max: 0 },
    completion: 'none',
    details:
      'Looks at programs, configuration, data directories, ports, certificates, health, images and leftovers, and changes nothing. "unknown" could not be looked at, or has nothing to be compared with; it is no drift.',
    examples: [
      ['bottled audit', 'the bundle that runs here'],
      ['docker exec sidecars bottled audit', 'in its container'],
      ['bottled audit --compose compose.yaml', 'a whole bottle, from the host'],
    ],
    exits: [0, 1, 2, 4],
  },
  proposals: {
    name: 'proposals',
    summary: 'Decide what the agent asks for, and look at what happened',
    usage: '[list|show ID|approve ID|edit ID|reject ID|acknowledge ID...|watch|verify [FILE]] [OPTION...]',
    options: {
      all: { type: 'boolean', summary: 'list: also those that have ended.' },
      reason: {
        type: 'string',
        value: 'TEXT',
        summary: 'approve, edit, reject, acknowledge: why. It is kept, and told to who asked.',
      },
      yes: { type: 'boolean', short: 'y', summary: 'approve, edit: do not ask. Needed where there is no terminal.' },
      shown: {
        type: 'string',
        value: 'HASH',
        summary: 'approve, reject: only if this is what "show" printed as "shown"; at least its first 8 digits.',
      },
      once: { type: 'boolean', summary: 'watch: print what waits for a decision and end.' },
      json: { type: 'boolean', summary: 'Print JSON, one proposal per line.' },
      'supervise-socket': superviseSocket,
      socket,
    },
    arguments: { min: 0, max: Number.POSITIVE_INFINITY },
    completion: ['list', 'show', 'approve', 'edit', 'reject', 'acknowledge', 'watch', 'verify'],
    details: `Without an action: list. An id may be cut short while it is clear which is meant. "approve" writes the change, makes the daemons read it, checks that it is in force, and takes it back if it is not; killed half-way, it ends what it began when it is run again. "edit" opens $VISUAL or $EDITOR on the proposed text first. The files are in $BOTTLED_CONFIG (/etc/bottled), the data is in $BOTTLED_DATA (/var/lib/bottled). "verify" checks the log of all decisions without asking supervise.`,
    examples: [
      ['bottled proposals', 'what waits for a decision'],
      ['bottled proposals show p-7kq2', 'one of them, with its diff'],
      ['bottled proposals approve p-7kq2 --reason "for the release"', 'look at it again, answer y, and it is in force'],
      ['bottled proposals reject p-7kq2 --reason "use the mirror"', 'the agent is told why'],
      ['bottled proposals verify', 'was the log changed by anyone?'],
    ],
    exits: [0, 1, 2, 3, 4],
  },
  cutoff: {
    name: 'cutoff',
    summary: 'Let nothing out of the bottle, at once, or lift that again',
    usage: 'on|off|status [--json]',
    options: { json: { type: 'boolean', summary: 'Print JSON.' } },
    arguments: { min: 1, max: 1 },
    completion: ['on', 'off', 'status'],
    details:
      'Refuses every request of the agent and ends what is under way, whatever supervise, the agent or the queue do. Holds until it is lifted, also over restarts. It is a file that egress looks for, egress/cutoff in $BOTTLED_DATA (/var/lib/bottled); egress is asked on $EGRESS_PORT (9099) whether it has seen it.',
    examples: [
      ['bottled cutoff on', 'nothing leaves any more'],
      ['bottled cutoff status', 'is it on?'],
    ],
    exits: [0, 1, 2],
  },
  check: {
    name: 'check',
    summary: 'Validate a bundle file and print its plan and graph',
    usage: '[FILE] [--only a,b] [--json]',
    options: {
      file,
      only,
      json: { type: 'boolean', summary: 'Print the problems, or the start order and warnings, as JSON.' },
    },
    arguments: { min: 0, max: 1 },
    completion: 'file',
    details: `Prints every problem at once, each with its place and remedy. ${FILE_DETAILS}`,
    examples: [['bottled check examples/bundle.yaml', 'validate one file']],
    exits: [0, 2],
  },
  render: {
    name: 'render',
    summary: 'Render a bottle for Compose, Swarm or Kubernetes',
    usage: 'compose|swarm|kubernetes [FILE] [-o DIR] [--layout bundle|split] [--mock] [--force]',
    options: {
      file: { type: 'string', short: 'f', value: 'FILE', summary: 'The bottle file. Default: ./bottle.yaml.' },
      output: {
        type: 'string',
        short: 'o',
        value: 'DIR',
        summary: 'Where the files go; "-" prints the main file alone. Default: beside the bottle file.',
      },
      layout: {
        type: 'string',
        value: 'LAYOUT',
        summary:
          'compose only. bundle: one container for all daemons; split: the legacy layout, one for each. Default: bundle.',
        choices: ['bundle', 'split'],
      },
      mock: {
        type: 'boolean',
        summary: 'A mock in place of the model of the bottle, as with "mock: true" in the file.',
      },
      force: {
        type: 'boolean',
        summary: 'Overwrite files that were changed since they were rendered, or that were not rendered.',
      },
    },
    arguments: { min: 1, max: 2 },
    completion: ['compose', 'swarm', 'kubernetes'],
    details:
      'Prints every problem of the bottle at once, each with its place and remedy. The same bottle gives the same files. They hold no credential. A file that was changed since it was rendered, by an approved proposal say, is not overwritten, and then nothing is.',
    examples: [
      ['bottled render compose && docker compose up', 'from ./bottle.yaml'],
      ['bottled render compose -o - bottle.yaml | less', 'look at it first'],
      ['bottled render compose --layout split', 'the legacy layout of one container a daemon'],
    ],
    exits: [0, 1, 2],
  },
  manifest: {
    name: 'manifest',
    summary: 'Print what each service is, and which data it keeps where',
    usage: '[FILE] [--format table|markdown|json]',
    options: {
      file,
      format: {
        type: 'string',
        value: 'FORMAT',
        summary: 'How it is printed. Default: table.',
        choices: ['table', 'markdown', 'json'],
      },
    },
    arguments: { min: 0, max: 1 },
    completion: 'file',
    details: `Holds no value of a variable. Names every daemon, also those that are not selected. ${FILE_DETAILS}`,
    examples: [
      ['bottled manifest', 'at a glance'],
      ['bottled manifest --format json | jq ".services[].paths"', 'for a program'],
    ],
    exits: [0, 2],
  },
  backup: {
    name: 'backup',
    summary: 'Put what is nowhere else into one archive',
    usage: '[-o FILE] [-f FILE] [--encrypt RECIPIENT] [--with-secrets] [--with-reproducible]',
    options: {
      output: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary:
          'The archive, or a directory that it is put in; "-" is stdout. Default: a file of the name of the bundle and the time, here.',
      },
      file,
      encrypt: {
        type: 'string',
        value: 'RECIPIENT',
        summary: 'Encrypt it by age(1) for this public key, or for those in this file.',
      },
      'with-secrets': {
        type: 'boolean',
        summary: 'Also the files of secrets. Needs --encrypt.',
      },
      'with-reproducible': {
        type: 'boolean',
        summary: 'Also what a start could make anew: mirrors of repositories, say.',
      },
      json: { type: 'boolean', summary: 'Print what was written as JSON.' },
    },
    arguments: { min: 0, max: 0 },
    completion: 'none',
    details: `The bundle may run or not. Takes what "bottled manifest" calls must-back-up; where that is depends on the same variables as the bundle file. The archive is whole or not there, and is read back before it gets its name. ${FILE_DETAILS}`,
    examples: [
      ['bottled backup -o /backups', 'a file in /backups, of mode 0600'],
      ['docker compose exec -T sidecars bottled backup -o - > bottle.tar.zst', 'of a bundle in a container'],
      ['bottled backup --with-secrets --encrypt age1… -o bottle.tar.zst.age', 'with all its secrets, for one key'],
    ],
    exits: [0, 1, 2],
  },
  restore: {
    name: 'restore',
    summary: 'Put back what an archive of "bottled backup" holds',
    usage: '[-f FILE] [--list|--dry-run] [--force] [--identity FILE] [--without-config] [--with-secrets] ARCHIVE',
    options: {
      file,
      list: { type: 'boolean', summary: 'Check the archive and print what is in it; nothing else.' },
      'dry-run': { type: 'boolean', summary: 'Check everything and print what would be done.' },
      force: {
        type: 'boolean',
        summary: 'Move aside what stands in the way, to a name with ".before-restore" in it.',
      },
      identity: { type: 'string', value: 'FILE', summary: 'File of the key that opens an encrypted archive.' },
      'without-config': { type: 'boolean', summary: 'Leave the configuration files as they are.' },
      'with-secrets': { type: 'boolean', summary: 'Also the files of secrets, where the archive holds them.' },
      socket,
    },
    arguments: { min: 1, max: 1 },
    completion: 'file',
    details: `For a bundle that does not run. Checks the whole archive first, and writes nothing where anything is wrong or something else is in the way. Killed half-way it has lost nothing; run it again. "-" reads the archive from stdin. ${FILE_DETAILS}`,
    examples: [
      ['bottled restore --list bottle.tar.zst', 'is it sound, and what is in it?'],
      ['bottled restore bottle.tar.zst', 'into an empty bundle'],
      [
        'docker compose run --rm -T --no-deps --entrypoint bottled sidecars restore - < bottle.tar.zst',
        'into the volumes of a container that does not run',
      ],
    ],
    exits: [0, 1, 2],
  },
  schema: {
    name: 'schema',
    summary: 'Print the JSON Schema of bundle.yaml, or of bottle.yaml',
    usage: '[bundle|bottle]',
    options: {},
    arguments: { min: 0, max: 1 },
    completion: ['bundle', 'bottle'],
    examples: [
      ['bottled schema > bundle.schema.json', 'for an editor'],
      ['bottled schema bottle > bottle.schema.json', 'that of a bottle'],
    ],
    exits: [0, 2],
  },
  graph: {
    name: 'graph',
    summary: 'Print the dependency graph of a bundle file',
    usage: '[FILE] [--format text|mermaid|dot] [--only a,b]',
    options: {
      file,
      format: { type: 'string', value: 'FORMAT', summary: 'Default: text.', choices: ['text', 'mermaid', 'dot'] },
      only,
    },
    arguments: { min: 0, max: 1 },
    completion: 'file',
    details: FILE_DETAILS,
    examples: [['bottled graph --format dot | dot -Tsvg > graph.svg', 'draw it']],
    exits: [0, 2],
  },
  completion: {
    name: 'completion',
    summary: 'Print a completion script for a shell',
    usage: 'bash|zsh|fish',
    options: {},
    arguments: { min: 1, max: 1 },
    completion: 'shells',
    examples: [
      ['source <(bottled completion bash)', 'bash, in ~/.bashrc'],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is zsh.
      ['bottled completion zsh > "${fpath[1]}/_bottled"', 'zsh'],
      ['bottled completion fish > ~/.config/fish/completions/bottled.fish', 'fish'],
    ],
    exits: [0, 2],
  },
  version: {
    name: 'version',
    summary: 'Print the version',
    usage: '[--json]',
    options: { json: { type: 'boolean', summary: 'Print JSON.' } },
    arguments: { min: 0, max: 0 },
    completion: 'none',
    examples: [['bottled version', '']],
    exits: [0, 2],
  },
  help: {
    name: 'help',
    summary: 'Explain a verb',
    usage: '[VERB]',
    options: {},
    arguments: { min: 0, max: 1 },
    completion: 'verbs',
    examples: [['bottled help logs', 'the same as bottled logs --help']],
    exits: [0, 2],
  },
} as const satisfies Readonly<Record<string, Verb>>;

export type Verbs = typeof VERBS;
export type VerbName = keyof Verbs;

export const VERB_NAMES: readonly string[] = Object.keys(VERBS);

/** The verb of this name. */
export function findVerb(name: string): Verb | undefined {
  return isVerbName(name) ? VERBS[name] : undefined;
}

export function isVerbName(name: string): name is VerbName {
  return Object.hasOwn(VERBS, name);
}
