import type { ExitCode } from './exit-codes.ts';

/** An option of a verb. */
export interface Option {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  /** What stands for its value in the usage, `FILE` say. */
  readonly value?: string;
  readonly summary: string;
  /** The only values that it can have. */
  readonly choices?: readonly string[];
}

/** What a shell completes the arguments of a verb with; a list is the words themselves. */
export type Completion = 'daemons' | 'signal, then daemons' | 'file' | 'shells' | 'verbs' | 'none' | readonly string[];

/** All that is known of a verb: dispatch, help, completion and reference are made from it. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** What follows `bottled NAME`. */
  readonly usage: string;
  /** By long name; a name of one letter is a short option without a long one. */
  readonly options: Readonly<Record<string, Option>>;
  /** How many arguments beside options. */
  readonly arguments: { readonly min: number; readonly max: number };
  readonly completion: Completion;
  /** More than the summary, in whole sentences. */
  readonly details?: string;
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  /** The codes that it can end with, or in words where it ends with the code of what it ran. */
  readonly exits: readonly ExitCode[] | string;
}

/** The values of a verb's options as parsed. */
export type Values<V extends Verb> = {
  readonly [Name in keyof V['options']]: V['options'][Name]['type'] extends 'boolean' ? boolean : string | undefined;
};

/** A verb's command line. */
export interface Arguments<V extends Verb> {
  readonly values: Values<V>;
  readonly names: readonly string[];
}

/** The ways to write an option: `-n` and `--lines`. */
export function flagsOf(name: string, short: string | undefined): readonly string[] {
  if (name.length === 1) return [`-${name}`];
  return short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`];
}
