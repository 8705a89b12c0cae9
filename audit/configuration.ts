import { drift, missing, ok, type Row, unknown } from './row.ts';

/** A configuration file on disk. */
export type OnDisk =
  | { readonly kind: 'valid'; readonly isInForce: boolean }
  /** What is wrong with it, in a line. */
  | { readonly kind: 'invalid'; readonly problem: string }
  | { readonly kind: 'absent' }
  /** It may be valid or not; what is in force is another text. */
  | { readonly kind: 'other' }
  /** Nobody says what is in force, or the file cannot be read. */
  | { readonly kind: 'unknown'; readonly reason: string };

export interface ConfigurationFacts {
  readonly file: string;
  /** Who goes by it. */
  readonly daemon: string;
  readonly onDisk: OnDisk;
  /** What to do where the file is good and something else is in force. */
  readonly apply: string;
}

/** Compares what a file says with what its reader goes by. */
export function configurationRow({ file, daemon, onDisk, apply }: ConfigurationFacts): Row {
  const what = `${daemon}: ${file}`;
  switch (onDisk.kind) {
    case 'valid':
      return onDisk.isInForce
        ? ok('configuration', what, 'in force')
        : drift('configuration', what, `${daemon} goes by something else than this file says`, apply);
    case 'other':
      return drift('configuration', what, `${daemon} goes by another text than this file`, apply);
    case 'invalid':
      return drift(
        'configuration',
        what,
        `not valid, so not in force: ${onDisk.problem.replace(`${file}:`, 'at ')}`,
        'correct the file',
      );
    case 'absent':
      return missing('configuration', what, 'the file is not there', 'put it back; see docs/bootstrap.md');
    case 'unknown':
      return unknown('configuration', what, onDisk.reason, '');
  }
}
