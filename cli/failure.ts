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
