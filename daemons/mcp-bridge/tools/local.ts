import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { isExecutable } from '../../program/executable.ts';
import { killMarked, MARK } from './left-behind.ts';
import { type ProcessManager, StartError, type ToolCommand } from './process.ts';
import { signalGroup, startCarrier } from './stdio.ts';

export interface LocalOptions {
  /** Tells this bridge from others on the machine; the same after a restart. */
  readonly instance: string;
  /** The bridge's own variables, of which a tool gets a few. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** What a tool sees of the bridge's environment; never a secret. */
const HARMLESS = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR'] as const;

const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/** Tools as processes of this machine, each the leader of its own process group, as the user of the bridge. */
export function createLocalManager({ instance, variables }: LocalOptions): ProcessManager {
  const harmless = Object.fromEntries(
    HARMLESS.map((name) => [name, variables[name] ?? '']).filter(([, value]) => value !== ''),
  );
  const searchPath = variables.PATH ?? DEFAULT_PATH;

  return {
    driver: 'local',
    async start(command, options) {
      const mark = `${instance}/${randomBytes(9).toString('hex')}`;
      const env = { PATH: DEFAULT_PATH, ...harmless, ...command.environment, ...options.environment, [MARK]: mark };
      const cwd = workingDirOf(command);
      const program = findProgram(command.command[0] ?? '', env.PATH, cwd);
      const argv = [...limitsOf(command, searchPath), program, ...command.command.slice(1)];
      return await startCarrier(
        {
          program: argv[0] ?? program,
          args: argv.slice(1),
          cwd,
          env,
          idOf: (pid) => `pid ${pid}`,
          ask: (pid) => signalGroup(pid, 'SIGTERM'),
          kill(pid) {
            signalGroup(pid, 'SIGKILL');
            killMarked((found) => found === mark);
          },
          clean(pid) {
            signalGroup(pid, 'SIGKILL');
            killMarked((found) => found === mark);
          },
        },
        options,
      );
    },
    async sweep() {
      killMarked((found) => found.startsWith(`${instance}/`));
    },
  };
}

function workingDirOf({ workingDir }: ToolCommand): string {
  const folder = workingDir ?? '/';
  if (!isFolder(folder)) throw new StartError(`its working_dir ${folder} is no folder`, true);
  return folder;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Found by hand, so that a missing program is told as such and not as one that ended with 127. */
function findProgram(program: string, path: string, cwd: string): string {
  const places = program.includes('/')
    ? [isAbsolute(program) ? program : resolve(cwd, program)]
    : path
        .split(delimiter)
        .filter(isAbsolute)
        .map((folder) => join(folder, program));
  const found = places.find(isExecutable);
  if (found !== undefined) return found;
  throw new StartError(
    program.includes('/') ? `there is no program ${program}` : `there is no program ${program} in ${path}`,
    true,
  );
}

/** prlimit(1), where the machine has it; where it has not, a limit that was asked for is a fault. */
function limitsOf({ limits }: ToolCommand, path: string): readonly string[] {
  const wanted = [
    // Not the address space (RLIMIT_AS): engines such as V8 reserve far more of it than they use.
    ...(limits.memory === undefined ? [] : [`--data=${limits.memory}`]),
    ...(limits.pids === undefined ? [] : [`--nproc=${limits.pids}`]),
  ];
  if (wanted.length === 0) return [];
  const prlimit = path
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, 'prlimit'))
    .find(isExecutable);
  if (prlimit === undefined) {
    throw new StartError('it has limits, and there is no prlimit here to set them: install util-linux', true);
  }
  return [prlimit, '--core=0', ...wanted, '--'];
}
