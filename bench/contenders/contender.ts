import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Role } from '../series.ts';

/** What an init is asked to run. */
export interface Daemon {
  readonly name: string;
  readonly command: readonly string[];
  /** false: it is left alone once it has ended. Only inits that report exit codes are asked for that. */
  readonly restart: boolean;
}

/** How to run an init. */
export interface Invocation {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** One init of the comparison. */
export interface Contender {
  readonly name: string;
  readonly role: Role;
  /** What it takes part in; everything where this is not given. */
  readonly only?: readonly string[];
  /** Why it cannot run here, with the remedy; undefined where it can. */
  absent(): string | undefined;
  /** Writes its files into `directory` and says how to run it on these daemons. */
  prepare(directory: string, daemons: readonly Daemon[]): Invocation;
  readonly stopSignal: NodeJS.Signals;
  /** How long its daemons must have run, in ms, until a death no longer counts as a failed start. */
  readonly settle: number;
  /** The command that prints `status --json` of a bundle prepared in `directory`, where it can tell exit codes. */
  status?(directory: string): readonly string[];
}

/** The path of a program, or undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  for (const directory of `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

/** For `absent`: the sentence where a Debian program is not installed. */
export function needs(program: string, debianPackage: string): string | undefined {
  return findProgram(program) === undefined
    ? `${program} is not installed (apt-get install ${debianPackage})`
    : undefined;
}

/** A command as one line for a shell. */
export function shellLine(command: readonly string[]): string {
  return command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}
