import { type Action, act, complain, exitWith, explain } from './act.ts';
import { beginRun } from './begin-run.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { reasonOf, usageFailure } from './failure.ts';
import { hint } from './parse.ts';
import { isVerbName, VERB_NAMES, VERBS, type VerbName, type Verbs } from './verbs.ts';

/** One file per verb, loaded only when its verb is called. */
const ACTIONS: { readonly [Name in Exclude<VerbName, 'exec'>]: () => Promise<Action<Verbs[Name]>> } = {
  run: beginRun,
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

async function operation(verb: 'start' | 'stop' | 'restart'): Promise<Action<Verbs['start']>> {
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
  return name === 'exec' ? explain(VERBS.exec) : actOn(name, rest);
}

function actOn<Name extends Exclude<VerbName, 'exec'>>(
  name: Name,
  argv: readonly string[],
): Promise<ExitCode | undefined> {
  if (name !== 'run') leaveWithReader();
  return act<Verbs[Name]>(VERBS[name], argv, ACTIONS[name]);
}

/** A reader that has left (`| head`) is no failure; there is nobody to tell anything any more. A full disk is one. */
function leaveWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    complain(`cannot write to stdout: ${reasonOf(error)}; what it got is not whole`);
    process.exit(EXIT.failed);
  });
}

void exitWith(main(process.argv.slice(2)));
