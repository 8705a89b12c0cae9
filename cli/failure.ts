import { getSystemErrorMessage } from 'node:util';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** Ends the verb: one line for stderr (what cannot be done, why, and the remedy) and the exit code. */
export class Failure extends Error {
  readonly code: ExitCode;

  constructor(code: ExitCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A wrong command line. */
export function usageFailure(message: string): Failure {
  return new Failure(EXIT.usage, message);
}

/** What an error says, for a message: of a system call its path and its reason in words, without code and name of the call. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { errno, path }: NodeJS.ErrnoException = error;
  if (errno === undefined) return error.message;
  return `${path === undefined ? '' : `${path}: `}${getSystemErrorMessage(errno)}`;
}
