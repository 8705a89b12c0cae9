import type { HealthJson } from '../healthcheck/health-json.ts';
import { createClient, refused, Silence } from './client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { paint, print, shown } from './output.ts';
import { parseTime, wrong } from './parse.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

const DEFAULT_TIMEOUT = 3_000;
/** The verb ends within 5 s, its own start included. */
const LONGEST_TIMEOUT = 5_000;
const OWN_START = 500;

export async function health({ values }: Arguments<Verbs['health']>): Promise<ExitCode> {
  const timeout = values.timeout === undefined ? DEFAULT_TIMEOUT : parseTime(VERBS.health, 'timeout', values.timeout);
  if (timeout > LONGEST_TIMEOUT || timeout === 0) throw wrong(VERBS.health, `--timeout is at most 5s and more than 0s`);
  const { status, body } = await answerWithin(values.socket, Math.min(timeout, LONGEST_TIMEOUT - OWN_START));
  if (status !== 200 && status !== 503) throw refused({ status, body });
  if (values.json) await print(body);
  // The control API sends this type (init/control/schemas.ts).
  const report = JSON.parse(body) as HealthJson;
  if (!values.json) await print(`${paint(STYLES[report.status], shown(report.output ?? 'healthy'))}\n`);
  return report.status === 'pass' || (report.status === 'warn' && !values.strict) ? EXIT.ok : EXIT.failed;
}

const STYLES = { pass: 'green', warn: 'yellow', fail: 'red' } as const;

/** One deadline for connection, headers and body together. An init that does not answer in time is unhealthy. */
async function answerWithin(socket: string | undefined, timeout: number): Promise<{ status: number; body: string }> {
  const late = new Failure(
    EXIT.failed,
    `unhealthy: the init does not answer within ${timeout / 1000}s; look whether it hangs`,
  );
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late), timeout);
  });
  try {
    return await Promise.race([createClient(socket).ask('GET', '/healthz', { timeout }), deadline]);
  } catch (error) {
    throw error instanceof Silence ? late : error;
  } finally {
    clearTimeout(timer);
  }
}
