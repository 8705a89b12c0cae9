import { errnoName } from './errno.ts';
import { type Koffi, loadKoffi } from './koffi.ts';

/** A failed call: the name that errno(3) gives to its error, and what the call was for. */
export class PosixError extends Error {
  override readonly name = 'PosixError';
  /** As in the errors of Node. */
  readonly code: string;

  constructor(call: string, code: string) {
    super(`${call}: ${code}`);
    this.code = code;
  }
}

let koffi: Koffi | undefined;
let library: ReturnType<Koffi['load']> | undefined;

/** Binds one function of the C library that Node itself runs on. Throws where there is none of that name. */
export function bind<Call>(name: string, result: string, parameters: readonly string[]): Call {
  koffi ??= loadKoffi();
  library ??= koffi.load(null);
  return library.func<Call>(name, result, parameters);
}

/** Binds at the first use: a function that is never called costs nothing at the start. */
export function lazily<Call>(name: string, result: string, parameters: readonly string[]): () => Call {
  let call: Call | undefined;
  return () => {
    call ??= bind<Call>(name, result, parameters);
    return call;
  };
}

/** True where this C library has the function: glibc and musl differ in some, and so do their versions. */
export function exists(name: string): boolean {
  try {
    bind<unknown>(name, 'int', []);
    return true;
  } catch {
    return false;
  }
}

/** The name of the error of the last failed call. */
export function lastErrno(): string {
  return errnoName(koffi?.errno() ?? 0);
}

/** Throws {@link PosixError} where the result of a call says that it failed. */
export function checked(call: string, result: number): number {
  if (result === -1) throw new PosixError(call, lastErrno());
  return result;
}
