import { parseArgs } from 'node:util';
import { parseDuration } from '../config/duration.ts';
import { nearest } from '../config/nearest.ts';
import { usageFailure } from './failure.ts';
import type { Arguments, Option, Values, Verb } from './verb.ts';

/**
 * Parses a verb's command line; `undefined` where help is asked for. Throws a usage `Failure` that names what is wrong, what
 * was probably meant, and where to read more.
 */
export function parse<V extends Verb>(verb: V, argv: readonly string[]): Arguments<V> | undefined {
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...verb.options, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const values: Record<string, string | boolean> = {};
  const names: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') names.push(token.value);
    if (token.kind !== 'option') continue;
    if (token.name === 'help') return undefined;
    values[token.name] = optionValue(verb, token);
  }
  const { min, max } = verb.arguments;
  if (names.length < min) throw wrong(verb, 'arguments are missing');
  if (names.length > max) throw wrong(verb, `"${names[max]}" is one argument too many`);
  for (const [name, option] of Object.entries(verb.options)) if (option.type === 'boolean') values[name] ??= false;
  // The loop above gives each option a value of the type that its entry in the verb table says.
  return { values: values as Values<V>, names };
}

/** A wrong command line of this verb. */
export function wrong(verb: Verb, message: string): Error {
  return usageFailure(
    `${verb.name}: ${message}${message.endsWith('?') ? '' : ';'} usage: ${['bottled', verb.name, verb.usage].join(' ').trimEnd()}`,
  );
}

/** ms of an option's duration. */
export function parseTime(verb: Verb, name: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw wrong(verb, `--${name} "${text}" is not a duration such as "90s"`);
  return ms;
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  /** The value stands behind a "=". */
  readonly inlineValue: boolean | undefined;
}

function optionValue(verb: Verb, { name, rawName, value, inlineValue }: OptionToken): string | boolean {
  const option: Option | undefined = Object.hasOwn(verb.options, name) ? verb.options[name] : undefined;
  if (option === undefined) {
    const known = [...Object.keys(verb.options), 'help'].map((word) => `--${word}`);
    throw wrong(verb, `there is no option ${rawName}${hint(rawName, known)}`);
  }
  if (option.type === 'boolean') {
    if (value !== undefined) throw wrong(verb, `${rawName} takes no value`);
    return true;
  }
  // A "-" alone stands for stdout.
  if (value === undefined || (inlineValue !== true && value.startsWith('-') && value !== '-')) {
    throw wrong(verb, `${rawName} needs a value (${option.value})`);
  }
  if (option.choices !== undefined && !option.choices.includes(value)) {
    throw wrong(verb, `${rawName} "${value}" is not one of ${option.choices.join(', ')}${hint(value, option.choices)}`);
  }
  return value;
}

/** `; did you mean "logs"?`, or nothing where no known word is near. */
export function hint(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined ? '' : `; did you mean "${near}"?`;
}
