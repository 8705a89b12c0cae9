import { EXIT, type ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { parse } from './parse.ts';
import type { Arguments, Verb } from './verb.ts';
import { visible } from './visible.ts';

/** What a verb does, from its parsed command line to its exit code; undefined where it ends the process itself. */
export type Action<V extends Verb> = (command: Arguments<V>) => Promise<ExitCode | undefined>;

/** Acts on the command line of this verb; `load` is asked for the action once the command line is known to be right. */
export async function act<V extends Verb>(
  verb: V,
  argv: readonly string[],
  load: () => Promise<Action<V>>,
): Promise<ExitCode | undefined> {
  const command = parse(verb, argv);
  if (command === undefined) return explain(verb);
  const action = await load();
  return action(command);
}

/** Prints the help of a verb. */
export async function explain(verb: Verb): Promise<ExitCode> {
  const { verbHelp } = await import('./help.ts');
  process.stdout.write(verbHelp(verb));
  return EXIT.ok;
}

/** Gives the process the exit code of its verb. A failure is told on stderr. */
export async function exitWith(acting: Promise<ExitCode | undefined>): Promise<void> {
  try {
    const code = await acting;
    if (code !== undefined) process.exitCode = code;
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    process.exitCode = error instanceof Failure ? error.code : EXIT.failed;
  }
}

/** Tells on stderr what went wrong. It may quote a daemon, which must not write to the terminal. */
export function complain(message: string): void {
  const lines = message.split('\n').map((line) => `bottled: ${process.stderr.isTTY ? visible(line) : line}\n`);
  process.stderr.write(lines.join(''));
}
