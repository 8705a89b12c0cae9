import type { SpawnError } from '../lifecycle/event.ts';
import { errnoOf } from '../posix/errno.ts';
import { NativeCallsUnavailable } from '../posix/koffi.ts';
import { type Descriptor, spawn } from '../posix/spawn.ts';
import { DEFAULT_PATH, explain, findProgram, inspectDirectory, inspectProgram } from './program.ts';

export interface LaunchOptions {
  /** Program and arguments. The program is looked for in the PATH of `environment`. */
  readonly argv: readonly string[];
  /** Tools chained in front (setpriv, prlimit), by whole paths; they become the program. */
  readonly prefix?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  /** Its files; its stdin is /dev/null, its stdout and stderr those of this process, where nothing is said of them. */
  readonly descriptors?: readonly Descriptor[];
  /** A session of its own, a process group of its own in our session, or no group of its own. */
  readonly session: 'new' | 'group' | 'same';
  /** With `session: 'group'`: the terminal that its group reads from now on. */
  readonly terminal?: number | undefined;
}

export type Launched = { readonly pid: number } | { readonly error: SpawnError };

/**
 * Starts a program, with no signal blocked or ignored in it. The caller watches its pid in the same turn of the loop.
 * An error tells what is wrong with the program: with a prefix it is looked for beforehand, since afterwards only the
 * tools could tell.
 */
export function launch(options: LaunchOptions): Launched {
  const { argv, prefix = [], environment } = options;
  const [command = ''] = argv;
  const [tool] = prefix;
  const words = [...argv, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)];
  if (words.some((word) => word.includes('\0'))) {
    return failed('EINVAL', `${command}: an argument or a variable holds a NUL character, which none can`);
  }
  const nowhere = options.cwd === undefined ? undefined : inspectDirectory(options.cwd);
  if (nowhere !== undefined) return { error: nowhere };
  const program = findProgram(command, environment.PATH ?? DEFAULT_PATH, options.cwd ?? process.cwd());
  if ('error' in program) return program;
  const unfit = tool === undefined ? undefined : inspectProgram(program.path);
  if (unfit !== undefined) return { error: unfit };
  try {
    const started = spawn({
      path: tool ?? program.path,
      argv: tool === undefined ? argv : [...prefix, program.path, ...argv.slice(1)],
      environment: words.slice(argv.length),
      cwd: options.cwd,
      descriptors: options.descriptors ?? [],
      session: options.session,
      terminal: options.terminal,
    });
    return 'pid' in started ? started : { error: explain(started.errno, tool ?? program.path) };
  } catch (error) {
    if (error instanceof NativeCallsUnavailable) throw error;
    return failed(errnoOf(error), `${command}: cannot be started: ${error instanceof Error ? error.message : error}`);
  }
}

function failed(errno: string, message: string): Launched {
  return { error: { errno, message } };
}
