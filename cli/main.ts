import { installHandlers } from '../init/signals.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Failure, usageFailure } from './failure.ts';
import { hint, parse } from './parse.ts';
import type { Arguments } from './verb.ts';
import { isVerbName, VERB_NAMES, VERBS, type VerbName, type Verbs } from './verbs.ts';
import { visible } from './visible.ts';

type Action<Name extends VerbName> = (command: Arguments<Verbs[Name]>) => Promise<ExitCode | undefined>;

/** One file per verb, loaded only when its verb is called: PID 1 loads nothing of the others. */
const ACTIONS: { readonly [Name in Exclude<VerbName, 'exec'>]: () => Promise<Action<Name>> } = {
  run: async () => {
    const signals = installHandlers();
    const { run } = await import('./run.ts');
    return (command) => run(command, signals);
  },
  status: async () => (await import('./status.ts')).status,
  logs: async () => (await import('./logs.ts')).logs,
  events: async () => (await import('./events.ts')).events,
  start: async () => operation('start'),
  stop: async () => operation('stop'),
  restart: async () => operation('restart'),
  signal: async () => (await import('./operate.ts')).signal,
  reload: async () => (await import('./reload.ts')).reload,
  health: async () => (await import('./health.ts')).health,
  audit: async () => (await import('./audit.ts')).audit,
  proposals: async () => (await import('./proposals.ts')).proposals,
  cutoff: async () => (await import('./cutoff.ts')).cutoff,
  check: async () => (await import('./check.ts')).check,
  render: async () => (await import('./render.ts')).render,
  manifest: async () => (await import('./manifest.ts')).manifest,
  backup: async () => (await import('./backup.ts')).backup,
  restore: async () => (await import('./restore.ts')).restore,
  schema: async () => (await import('./schema.ts')).schema,
  graph: async () => (await import('./graph.ts')).graph,
  completion: async () => (await import('./completion.ts')).completion,
  version: async () => (await import('./version.ts')).version,
  help: async () => (await import('./help-verb.ts')).help,
};

async function operation(verb: 'start' | 'stop' | 'restart'): Promise<Action<'start'>> {
  const { operate } = await import('./operate.ts');
  return (command) => operate(verb, command);
}

async function main([first, ...rest]: readonly string[]): Promise<ExitCode | undefined> {
  if (first === 'exec' && rest[0] !== '--help' && rest[0] !== '-h') {
    const { execVerb } = await import('../init/exec/exec.ts');
    execVerb(rest);
    return undefined;
  }
  if (first === undefined || first === '-h' || first === '--help') {
    const { helpText } = await import('./help.ts');
    (first === undefined ? process.stderr : process.stdout).write(helpText());
    return first === undefined ? EXIT.usage : EXIT.ok;
  }
  const name = first === '--version' || first === '-V' ? 'version' : first;
  if (!isVerbName(name)) {
    const what = name.startsWith('-') ? 'option' : 'verb';
    throw usageFailure(`there is no ${what} "${name}"${hint(name, VERB_NAMES) || ';'} see bottled --help`);
  }
  return name === 'exec' ? explain('exec') : act(name, rest);
}

async function act<Name extends Exclude<VerbName, 'exec'>>(
  name: Name,
  argv: readonly string[],
): Promise<ExitCode | undefined> {
  const command = parse(VERBS[name], argv);
  if (command === undefined) return explain(name);
  if (name !== 'run') leaveWithReader();
  const action = await ACTIONS[name]();
  return action(command);
}

/** What went wrong may quote a daemon, which must not write to the terminal. */
function complain(message: string): void {
  const lines = message.split('\n').map((line) => `bottled: ${process.stderr.isTTY ? visible(line) : line}\n`);
  process.stderr.write(lines.join(''));
}

/** A reader that has left (`| head`) is no failure; there is nobody to tell anything any more. */
function leaveWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
  });
}

async function explain(name: VerbName): Promise<ExitCode> {
  const { verbHelp } = await import('./help.ts');
  process.stdout.write(verbHelp(VERBS[name]));
  return EXIT.ok;
}

main(process.argv.slice(2)).then(
  (code) => {
    if (code !== undefined) process.exitCode = code;
  },
  (error: unknown) => {
    complain(error instanceof Error ? error.message : String(error));
    process.exitCode = error instanceof Failure ? error.code : EXIT.failed;
  },
);
