import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The part of koffi that the init uses. */
export interface Koffi {
  load(path: null): {
    /** Binds a C function. What it takes and gives (`Call`) is stated where it is bound, beside the C types. */
    func<Call>(name: string, result: string, parameters: readonly string[]): Call;
  };
  errno(): number;
}

/** The init cannot work without these calls, so this error ends it; its message is for a person. */
export class NativeCallsUnavailable extends Error {
  override readonly name = 'NativeCallsUnavailable';
}

/**
 * Loads koffi's native file: the one beside the running program (where the build puts it), else the one of the
 * installed package. It goes without koffi's own JavaScript, which only looks for that file and costs as much as
 * loading it. Throws {@link NativeCallsUnavailable}.
 */
export function loadKoffi(): Koffi {
  const reasons: string[] = [];
  for (const locate of [besideTheProgram, besideItsRealPath, installedFor('linux'), installedFor('musl')]) {
    try {
      const loaded: { exports: Partial<Koffi> } = { exports: {} };
      process.dlopen(loaded, locate());
      const { load, errno } = loaded.exports;
      if (load !== undefined && errno !== undefined) return { load, errno };
      reasons.push(`${locate()} is not koffi's`);
    } catch (error) {
      reasons.push(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
    }
  }
  throw new NativeCallsUnavailable(
    `cannot load koffi.node, by which the init calls libc on ${process.platform} ${process.arch}: put the file for this ` +
      `system at ${besideTheProgram()} (npm run build does) (${reasons.join('; ')})`,
  );
}

function besideTheProgram(): string {
  return join(dirname(process.argv[1] ?? ''), 'koffi.node');
}

/** Where the program was called by a symbolic link (`npm link`, /usr/local/bin). */
function besideItsRealPath(): string {
  return join(dirname(realpathSync(process.argv[1] ?? '')), 'koffi.node');
}

/** koffi ships one file per C library: "linux" stands for glibc. */
function installedFor(libc: 'linux' | 'musl'): () => string {
  return () => {
    const { createRequire } = process.getBuiltinModule('node:module');
    const here = createRequire(import.meta.filename ?? process.argv[1] ?? '/');
    const koffi = createRequire(here.resolve('koffi'));
    const folder = dirname(koffi.resolve(`@koromix/koffi-linux-${process.arch}`));
    return join(folder, `${libc}_${process.arch}`, 'koffi.node');
  };
}
