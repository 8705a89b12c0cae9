import { sentence } from '../sentence.ts';
import type { Attempt, Execute, Execution, Finding } from './check.ts';

/** Passes when the command of Compose's exec form exits 0. */
export async function probeTest(test: readonly string[], execute: Execute, attempt: Attempt): Promise<Finding> {
  const argv = argvOf(test);
  if (argv === 'nothing') return { passed: true, said: 'no check (NONE)' };
  if (argv === undefined)
    return { passed: false, said: 'cannot be run: write ["CMD", program, …], ["CMD-SHELL", text] or ["NONE"]' };
  attempt.pending('did not end');
  return judge(await execute(argv, { timeout_ms: attempt.timeout_ms, signal: attempt.signal }));
}

/** The program only: arguments may hold what should not be shown. */
export function nameTest(test: readonly string[]): string {
  return test[0] === 'CMD' && test[1] !== undefined ? `test ${test[1]}` : 'test';
}

function argvOf([form, ...words]: readonly string[]): readonly string[] | 'nothing' | undefined {
  if (form === 'NONE') return 'nothing';
  if (words.length === 0) return undefined;
  if (form === 'CMD') return words;
  return form === 'CMD-SHELL' ? ['/bin/sh', '-c', ...words] : undefined;
}

function judge(execution: Execution): Finding {
  if (execution.error !== undefined) return { passed: false, said: `cannot be run: ${execution.error}` };
  const end = execution.signal === null ? `exit code ${execution.code ?? 'unknown'}` : `killed by ${execution.signal}`;
  const line = sentence(execution.output, SHOWN_OUTPUT);
  return { passed: execution.code === 0, said: line === '' ? end : `${end}: ${line}` };
}

const SHOWN_OUTPUT = 200;
