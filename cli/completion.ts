import { isSignalName, SIGNAL_NAMES } from '../init/posix/signal-names.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print } from './output.ts';
import { hint, wrong } from './parse.ts';
import { type Arguments, flagsOf, type Option, type Verb } from './verb.ts';
import { VERB_NAMES, VERBS, type Verbs } from './verbs.ts';

export async function completion({ names }: Arguments<Verbs['completion']>): Promise<ExitCode> {
  const [shell = ''] = names;
  const script = SCRIPTS.get(shell);
  if (script === undefined) {
    throw wrong(
      VERBS.completion,
      `"${shell}" is not one of ${[...SCRIPTS.keys()].join(', ')}${hint(shell, [...SCRIPTS.keys()])}`,
    );
  }
  await print(script());
  return EXIT.ok;
}

const SCRIPTS: ReadonlyMap<string, () => string> = new Map([
  ['bash', bashScript],
  ['zsh', zshScript],
  ['fish', fishScript],
]);

const ALL: readonly Verb[] = Object.values(VERBS);
const DAEMONS = 'bottled status --quiet 2>/dev/null';
const SIGNALS = SIGNAL_NAMES.filter(isSignalName)
  .map((name) => name.slice(3))
  .join(' ');

/** Words that stand for the arguments of a verb; `undefined` for files. */
function words(verb: Verb): string | undefined {
  if (typeof verb.completion === 'object') return verb.completion.join(' ');
  switch (verb.completion) {
    case 'daemons':
      return `$(${DAEMONS})`;
    case 'signal, then daemons':
      return `${SIGNALS} $(${DAEMONS})`;
    case 'shells':
      return [...SCRIPTS.keys()].join(' ');
    case 'verbs':
      return VERB_NAMES.join(' ');
    case 'file':
      return undefined;
    case 'none':
      return '';
  }
}

/** Whether a path stands for its value in the usage. */
function isPath({ value }: Option): boolean {
  return value === 'FILE' || value === 'DIR' || value === 'PATH';
}

function optionWords(verb: Verb): string {
  const flags = Object.keys(verb.options).map((name) => flagsOf(name, undefined).join(' '));
  return [...flags, '--help'].join(' ');
}

function bashScript(): string {
  const cases = ALL.map((verb) => {
    const candidates = words(verb);
    const values = Object.entries(verb.options).flatMap(([name, option]) => {
      const given = `      [[ $previous == @(${flagsOf(name, option.short).join('|')}) ]] &&`;
      if (option.choices !== undefined) return [`${given} words="${option.choices.join(' ')}" files=0`];
      return isPath(option) ? [`${given} words='' files=1`] : [];
    });
    return [
      `    ${verb.name})`,
      `      words="${candidates ?? ''}"; options="${optionWords(verb)}"; files=${candidates === undefined ? 1 : 0}`,
      ...values,
      '      ;;',
    ].join('\n');
  });
  return `# bash completion for bottled: source <(bottled completion bash)
_bottled() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words='' options='' files=0
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W "${VERB_NAMES.join(' ')}" -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif (( files )); then
    COMPREPLY=($(compgen -f -- "$word"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}
complete -o filenames -F _bottled bottled
`;
}

function zshScript(): string {
  const verbs = ALL.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join('\n');
  const cases = ALL.map((verb) => {
    const options = Object.entries(verb.options).flatMap(([name, option]) => {
      const text = option.summary.replaceAll(/[[\]:]/g, ' ');
      const value = option.type === 'boolean' ? '' : `:${option.value ?? name}:${zshValue(option)}`;
      return flagsOf(name, option.short).map((flag) => quote(`${flag}[${text}]${value}`));
    });
    const candidates = words(verb);
    const rest = candidates === undefined ? quote('*:file:_files') : `"*:argument:(${candidates})"`;
    return `    ${verb.name}) _arguments ${[...options, quote('--help[Print help.]'), rest].join(' ')} ;;`;
  });
  return `#compdef bottled
# zsh completion for bottled: bottled completion zsh > "\${fpath[1]}/_bottled"
_bottled() {
  local -a verbs
  verbs=(
${verbs}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
${cases.join('\n')}
  esac
}
_bottled "$@"
`;
}

function zshValue(option: Option): string {
  if (option.choices !== undefined) return `(${option.choices.join(' ')})`;
  return isPath(option) ? '_files' : '';
}

function fishScript(): string {
  const lines = ALL.flatMap((verb) => {
    const inVerb = `-n '__fish_seen_subcommand_from ${verb.name}'`;
    const candidates = words(verb)?.replace(`$(${DAEMONS})`, `(${DAEMONS})`);
    const options = Object.entries(verb.options).map(([name, option]) => {
      const flags = flagsOf(name, option.short).map((flag) =>
        flag.length === 2 ? `-s ${flag.slice(1)}` : `-l ${flag.slice(2)}`,
      );
      const value =
        option.type === 'boolean' ? '' : option.choices === undefined ? ' -r' : ` -x -a '${option.choices.join(' ')}'`;
      return `complete -c bottled ${inVerb} ${flags.join(' ')}${value} -d ${quote(option.summary)}`;
    });
    return [
      `complete -c bottled -n __fish_use_subcommand -f -a ${verb.name} -d ${quote(verb.summary)}`,
      ...options,
      ...(candidates === undefined ? [] : [`complete -c bottled ${inVerb} -f -a ${quote(candidates)}`]),
    ];
  });
  return `# fish completion for bottled: bottled completion fish > ~/.config/fish/completions/bottled.fish\n${lines.join('\n')}\n`;
}

/** A word for a shell, in single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
