/** What `bottled exec` was asked to do. */
export interface ExecOptions {
  /** -s: it is an error where orphans cannot be adopted. */
  readonly subreaper: boolean;
  /** -g: signals go to the child's whole process group. */
  readonly group: boolean;
  /** -v: what happens is told on stderr. */
  readonly verbose: boolean;
  readonly command: readonly string[];
}

export const EXEC_USAGE = `Usage: bottled exec [-s] [-g] [-v] [--] COMMAND [ARGUMENT...]

Runs one command as a container's init: passes every signal on, collects orphans, and ends with the command's exit code
(128 + n where signal n killed it).

  -s  adopt orphans also when not process 1 (done anyway where possible; with -s it is an error where it is not)
  -g  pass signals to the command's whole process group
  -v  tell on stderr what happens
  -h  print this
`;

export type ParsedArguments =
  | { readonly options: ExecOptions }
  | { readonly help: true }
  /** One sentence. */
  | { readonly error: string };

/**
 * Reads the arguments after `exec`. Options end at `--` or at the first word that is none; what follows is the
 * command's own.
 */
export function parseExecArguments(argv: readonly string[]): ParsedArguments {
  const given = new Set<string>();
  let index = 0;
  for (; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--') {
      index++;
      break;
    }
    if (word === '--help') return { help: true };
    if (!word.startsWith('-') || word === '-') break;
    for (const letter of word.slice(1)) {
      if (!'sgvh'.includes(letter)) {
        return { error: `unknown option ${JSON.stringify(word)}: only -s, -g, -v and -h go before the command` };
      }
      given.add(letter);
    }
  }
  if (given.has('h')) return { help: true };
  const command = argv.slice(index);
  if (command.length === 0) return { error: 'the command is missing' };
  return {
    options: { subreaper: given.has('s'), group: given.has('g'), verbose: given.has('v'), command },
  };
}
