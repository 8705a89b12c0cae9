import { sentence } from '../sentence.ts';
import type { Attempt, Check, Execute, Finding } from './check.ts';
import { nameHttp, probeHttp } from './http.ts';
import { reason } from './reason.ts';
import { nameTcp, probeTcp } from './tcp.ts';
import { nameTest, probeTest } from './test.ts';
import { nameUnix, probeUnix } from './unix.ts';

export interface ProbeContext {
  /** Runs the command of a `test`. */
  readonly execute: Execute;
  /** Gives the probe up; it then fails at once. */
  readonly signal?: AbortSignal;
  /** Takes secrets out of what the target has said, before it is cut to length. */
  readonly hide?: (text: string) => string;
}

export interface ProbeResult {
  readonly passed: boolean;
  /** One line of at most 200 characters, e.g. "GET http://127.0.0.1:9099/__health: 503". */
  readonly detail: string;
  /** What the target wants an operator to know although it passed, in one line of at most 200 characters. */
  readonly remark: string | undefined;
  readonly duration_ms: number;
}

/**
 * Probes once. Never rejects, and settles within `check.timeout` whatever the target does; then nothing of the probe is
 * left: no socket, no timer. A disabled check passes.
 */
export async function probe(check: Check, context: ProbeContext): Promise<ProbeResult> {
  const start = performance.now();
  const { hide = (text) => text } = context;
  const { name, run } = kindOf(check, hidingOutput(context.execute, hide));
  const { passed, said, remark } = await within(check.timeout, context.signal, run);
  const subject = sentence(name, SUBJECT_LIMIT);
  const detail = sentence(subject === '' ? hide(said) : `${subject}: ${hide(said)}`, DETAIL_LIMIT);
  return {
    passed,
    detail,
    remark: remark === undefined ? undefined : sentence(hide(remark), DETAIL_LIMIT),
    duration_ms: performance.now() - start,
  };
}

const DETAIL_LIMIT = 200;
const SUBJECT_LIMIT = 120;

function hidingOutput(execute: Execute, hide: (text: string) => string): Execute {
  return async (argv, options) => {
    const execution = await execute(argv, options);
    return { ...execution, output: hide(execution.output) };
  };
}

interface Kind {
  readonly name: string;
  readonly run: (attempt: Attempt) => Promise<Finding>;
}

function kindOf({ test, http, tcp, unix, disable }: Check, execute: Execute): Kind {
  if (disable === true) return fixed({ passed: true, said: 'the check is disabled' });
  if (http) return { name: nameHttp(http), run: (attempt) => probeHttp(http, attempt) };
  if (tcp) return { name: nameTcp(tcp), run: (attempt) => probeTcp(tcp, attempt) };
  if (unix) return { name: nameUnix(unix), run: (attempt) => probeUnix(unix, attempt) };
  if (test) return { name: nameTest(test), run: (attempt) => probeTest(test, execute, attempt) };
  return fixed({ passed: false, said: 'the check has no probe: give it test, http, tcp or unix' });
}

function fixed(finding: Finding): Kind {
  return { name: '', run: async () => finding };
}

const DEFAULT_TIMEOUT = 30_000;
/** setTimeout fires at once for anything longer. */
const LONGEST_TIMER = 2_147_483_647;

function within(timeout: number, given: AbortSignal | undefined, run: Kind['run']): Promise<Finding> {
  const timeout_ms = Math.min(timeout === 0 ? DEFAULT_TIMEOUT : timeout, LONGEST_TIMER);
  const over = new AbortController();
  return new Promise((resolve) => {
    let pending = 'no answer';
    const settle = (finding: Finding): void => {
      clearTimeout(timer);
      given?.removeEventListener('abort', giveUp);
      resolve(finding);
      over.abort();
    };
    const giveUp = (): void => settle({ passed: false, said: 'given up' });
    const timer = setTimeout(() => settle({ passed: false, said: `${pending} within ${timeout_ms} ms` }), timeout_ms);
    given?.addEventListener('abort', giveUp, { once: true });
    if (given?.aborted === true) return giveUp();
    const attempt: Attempt = {
      signal: over.signal,
      timeout_ms,
      pending: (said) => {
        pending = said;
      },
    };
    run(attempt).then(settle, (error) => settle({ passed: false, said: reason(error) }));
  });
}
