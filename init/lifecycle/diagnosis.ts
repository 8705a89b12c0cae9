import type { DaemonSpec } from '../bundle/schema.ts';
import { signalNumber } from '../posix/signal-names.ts';
import type { Cause, CauseKind } from './cause.ts';
import type { Exit, SpawnError } from './event.ts';

/** What is known of an unexpected end. */
export interface Evidence {
  readonly exit: Exit;
  readonly outOfMemory: boolean;
  readonly lastLines: readonly string[];
  /** It had been ready before: then it is not the dynamic loader that failed. */
  readonly wasReady: boolean;
}

interface Symptom {
  readonly pattern: RegExp;
  readonly kind: CauseKind;
  readonly hint: string;
  /** Only where the exit code is this one. */
  readonly code?: number;
}

/** Words by which loaders and shells say that this program can never run here. */
const LOADER_SYMPTOMS: readonly Symptom[] = [
  {
    pattern: /version [`'"]?(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+['"]? not found|Error relocating .*: symbol not found/,
    kind: 'glibc-mismatch',
    hint: 'the program was built for a newer C library than this image has: use a static build, or a newer base image',
  },
  {
    // A lack of memory or descriptors may pass. The loader of glibc knows few errors by name: EAGAIN, ENFILE and EMFILE are 11, 23 and 24.
    pattern:
      /(?:error while loading shared libraries: |Error loading shared library )(?!.*(?:Cannot allocate memory|Out of memory|Too many open files|Error (?:11|23|24)\b))\S+/,
    kind: 'missing-library',
    hint: 'install the package that holds this library in the image',
  },
  {
    pattern: /exec format error|cannot execute binary file/i,
    kind: 'wrong-architecture',
    hint: 'the program was built for another kind of processor: use the build for this machine',
  },
  { pattern: /not found|No such file/, kind: 'not-found', code: 127, hint: 'check the name and the PATH' },
  { pattern: /permission denied/i, kind: 'not-executable', code: 126, hint: 'make the file executable (chmod +x)' },
];

const SYMPTOMS: readonly Symptom[] = [
  {
    pattern: /EADDRINUSE|address already in use/i,
    kind: 'address-in-use',
    hint: 'another process holds the port: find it with "ss -ltnp"',
  },
  {
    pattern: /EACCES|EPERM|permission denied|operation not permitted/i,
    kind: 'permission-denied',
    hint: "check the files' owner and mode, the daemon's user and its capabilities",
  },
];

/** The cause of an unexpected end, from its status and from what was seen. */
export function diagnose(evidence: Evidence): Cause {
  const { exit } = evidence;
  if (evidence.outOfMemory) {
    return {
      kind: 'out-of-memory',
      detail: 'killed by the kernel: the memory limit was reached',
      hint: 'raise the memory limit of the container, or lower what the daemon uses',
    };
  }
  const ended = describeExit(exit);
  const symptoms = evidence.wasReady ? SYMPTOMS : [...LOADER_SYMPTOMS, ...SYMPTOMS];
  for (const symptom of 'code' in exit ? symptoms : []) {
    if (symptom.code !== undefined && !('code' in exit && exit.code === symptom.code)) continue;
    const line = evidence.lastLines.find((text) => symptom.pattern.test(text));
    if (line !== undefined) return { kind: symptom.kind, detail: `${ended}: ${line.trim()}`, hint: symptom.hint };
  }
  return { kind: 'code' in exit ? 'exit-code' : 'signal', detail: ended };
}

const SPAWN_CAUSES: Readonly<Record<string, CauseKind>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EACCES: 'not-executable',
  EISDIR: 'not-executable',
  ENOEXEC: 'wrong-architecture',
  ELIBBAD: 'wrong-architecture',
  EPERM: 'permission-denied',
};

/**
 * The cause of a start that never came to be; its message names the remedy. Lack of memory or of process slots may pass, so
 * it is no permanent one.
 */
export function diagnoseSpawn(error: SpawnError): Cause {
  return { kind: SPAWN_CAUSES[error.errno] ?? 'exit-code', detail: error.message };
}

const UNABLE: ReadonlySet<CauseKind> = new Set<CauseKind>([
  'not-found',
  'not-executable',
  'wrong-architecture',
  'missing-library',
  'glibc-mismatch',
]);

/** True where this program can never run here, though another might. */
export function cannotRunHere(cause: Cause): boolean {
  return UNABLE.has(cause.kind);
}

/** True where trying again cannot help. */
export function isPermanent(cause: Cause, exit: Exit | undefined, spec: DaemonSpec): boolean {
  if (cannotRunHere(cause)) return true;
  return exit !== undefined && 'code' in exit && spec.permanent_exit_codes.includes(exit.code);
}

/** "exit code 3", "killed by SIGSEGV". */
export function describeExit(exit: Exit): string {
  return 'code' in exit ? `exit code ${exit.code}` : `killed by ${exit.signal}`;
}

/** The code of an end as a shell shows it: 128 + n after signal n (POSIX XCU 2.8.2). */
export function exitCodeOf(exit: Exit): number {
  return 'code' in exit ? exit.code : 128 + signalNumber(exit.signal);
}
