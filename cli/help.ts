import { EXIT_MEANINGS } from './exit-codes.ts';
import { flagsOf, type Option, type Verb } from './verb.ts';
import { VERBS } from './verbs.ts';

/** What `bottled --help` prints. */
export function helpText(): string {
  const verbs = Object.values(VERBS);
  const width = Math.max(...verbs.map(({ name }) => name.length));
  return [
    'bottled: the init for a bundle of daemons in one container',
    '',
    'Usage: bottled VERB [OPTION...] [ARGUMENT...]',
    '',
    ...verbs.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Exit codes:',
    ...Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `  ${code}  ${meaning}`),
    '',
    'bottled VERB --help explains a verb.',
    '',
  ].join('\n');
}

/** What `bottled VERB --help` prints. */
export function verbHelp(verb: Verb): string {
  const options = Object.entries(verb.options).map(
    ([name, option]) => [optionUsage(name, option), option.summary] as const,
  );
  const rows = [...options, ['-h, --help', 'Print this text.'] as const];
  const width = Math.max(...rows.map(([usage]) => usage.length));
  const examples = verb.examples.map(([command, meaning]) => `  ${command}${meaning === '' ? '' : `   # ${meaning}`}`);
  return [
    `${verb.summary}.`,
    '',
    `Usage: ${['bottled', verb.name, verb.usage].join(' ').trimEnd()}`,
    ...(verb.details === undefined ? [] : ['', verb.details]),
    '',
    'Options:',
    ...rows.map(([usage, summary]) => `  ${usage.padEnd(width)}  ${summary}`),
    ...(examples.length === 0 ? [] : ['', 'Examples:', ...examples]),
    '',
    ...exitLines(verb),
    '',
  ].join('\n');
}

/** `-n, --lines LINES`; a long option without a short one is indented as if there were one. */
function optionUsage(name: string, { short, value }: Option): string {
  const flags = flagsOf(name, short);
  const indent = flags.length === 1 && name.length > 1 ? '    ' : '';
  return `${indent}${flags.join(', ')}${value === undefined ? '' : ` ${value}`}`;
}

function exitLines({ exits }: Verb): string[] {
  if (typeof exits === 'string') return [`Exit code: ${exits}.`];
  return ['Exit codes:', ...exits.map((code) => `  ${code}  ${EXIT_MEANINGS[code]}`)];
}
