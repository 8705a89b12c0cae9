import { randomBytes } from 'node:crypto';
import type { Transform } from 'node:stream';
import type { Log } from '../../log/log.ts';
import { printable } from '../../text/printable.ts';
import type { Admitted, Gate } from '../gate.ts';
import { type Environment, gitEnvironment } from '../git/environment.ts';
import { endGroup, endOf } from '../git/process.ts';
import { whyNoneFree, whyNoRoom } from '../mirror/disk.ts';
import { faultOfHook, mostMemory } from '../mirror/mirror.ts';
import type { Refreshed } from '../mirror/refresh.ts';
import { type AttendOptions, attendPush } from '../push/attend.ts';
import type { Outcome } from '../push/judge.ts';
import type { Settings } from '../settings.ts';
import type { GitChild } from './git-child.ts';
import { createPushInput } from './push-input.ts';
import type { Service } from './request.ts';

/** What both servers share: the gate, and how it says what it did. */
export interface Serving extends AttendOptions {
  readonly gate: Gate;
  readonly settings: Settings;
  readonly log: Log;
}

/** One request for one repository, whichever the protocol. */
export interface Exchange {
  readonly protocol: 'http' | 'git';
  readonly service: Service;
  readonly name: string;
  readonly client: string;
  readonly started: number;
}

/** Starts the git process that serves one request, with these variables. */
export type Start = (env: Environment) => GitChild;

/** What a push may say before its pack, in bytes. */
const MOST_COMMANDS = 1024 ** 2;
const SLACK = 1024 ** 2;

/** The name of the committer that git may want for a reflog. It keeps none, but asks. */
const NAMES = { GIT_COMMITTER_NAME: 'git-gate', GIT_COMMITTER_EMAIL: 'git-gate@localhost' };

/**
 * Brings the mirror up to date as {@link Admitted.refresh} does, and sees to it that no push can come past the hook, and none for which
 * there is no room.
 */
export async function makeReady(
  service: Service,
  admitted: Admitted,
  fresh: number,
  { settings, log }: Serving,
): Promise<Refreshed> {
  if (service === 'git-upload-pack') return admitted.refresh(fresh);
  const fault = faultOfHook(settings);
  if (fault !== undefined) {
    log('error', `no push is taken: ${fault}`, { event: 'hook-missing', reason: fault });
    return { ok: false, reason: 'the gate cannot judge pushes; the operator finds the reason in the log of git-gate' };
  }
  const full = await whyNoRoom(settings, admitted.config.limits, { repo: admitted.repo.name });
  return full === undefined ? admitted.refresh(fresh) : { ok: false, reason: full };
}

/**
 * Runs one git process for a request and sees it to its end: the hook's question is answered, time and the client's
 * going away end the whole process group, and one line is logged. Resolves when all is over.
 */
export async function serveProcess(
  exchange: Exchange,
  admitted: Admitted,
  serving: Serving,
  signal: AbortSignal,
  start: Start,
): Promise<void> {
  const isPush = exchange.service === 'git-receive-pack';
  const nonce = randomBytes(16).toString('hex');
  const forPush = isPush ? { GIT_ALLOC_LIMIT: String(mostMemory(admitted.repo)), GIT_GATE_NONCE: nonce } : {};
  const env = gitEnvironment(serving.settings, { ...NAMES, ...forPush });
  const { limits } = admitted.config;
  const timeout = AbortSignal.timeout(Math.max(isPush ? limits.push_timeout : limits.fetch_timeout, 1));
  const stop = AbortSignal.any([signal, timeout]);
  let isClean = false;
  try {
    const child = start(env);
    const attendance = isPush ? attendPush(child.channel, nonce, admitted, stop, serving) : undefined;
    const abort = () => endGroup(child.process);
    stop.addEventListener('abort', abort);
    if (stop.aborted) abort();
    const ended = await endOf(child.process);
    stop.removeEventListener('abort', abort);
    const outcome = await attendance?.end();
    isClean = ended.kind === 'exit' && ended.code === 0;
    const cause = timeout.aborted ? 'timeout' : signal.aborted ? 'client-gone' : 'failed';
    logExchange(exchange, outcome, serving.log, ended.kind === 'exit' ? 'done' : cause);
  } finally {
    if (isPush) admitted.doubt();
    admitted.leave(!isClean);
  }
}

/** Passes on what a push may bring, and says in the log why it is cut off where it brings more. */
export function boundedPush({ repo, config: { limits } }: Admitted, { settings, log }: Serving): Transform {
  return createPushInput({
    mostCommands: MOST_COMMANDS,
    // A little more than git takes, so that git is the one to say so.
    mostPack: limits.max_push + SLACK,
    room: () => whyNoneFree(settings, limits),
    onCut(why) {
      const reason = printable(why);
      log('warn', `a push to ${repo.name} is cut off: ${reason}`, { event: 'push-cut-off', repo: repo.name, reason });
    },
  });
}

/** Logs a request that never came so far as to run git. */
export function logRefused(exchange: Exchange, reason: string, log: Log): void {
  log('warn', `${verb(exchange)} of ${printable(exchange.name, 100)} refused: ${printable(reason)}`, {
    event: exchange.service === 'git-receive-pack' ? 'push-refused' : 'fetch-refused',
    ...fieldsOf(exchange),
    reason: printable(reason),
  });
}

/** Logs a request that is none that git makes: `asked` is what it said. */
export function logUnknown(
  protocol: Exchange['protocol'],
  client: string,
  asked: string,
  reason: string,
  log: Log,
): void {
  const what = printable(asked, 200);
  log('warn', `a request over ${protocol} refused: ${what}: ${printable(reason)}`, {
    event: 'request-refused',
    protocol,
    client,
    asked: what,
    reason: printable(reason),
  });
}

function logExchange(exchange: Exchange, outcome: Outcome | undefined, log: Log, ended: string): void {
  const fields = { ...fieldsOf(exchange), ended };
  if (exchange.service === 'git-upload-pack') {
    log('info', `fetch of ${exchange.name} served (${ended})`, { event: 'fetch', ...fields });
    return;
  }
  if (outcome === undefined) {
    log('info', `push to ${exchange.name} ended before it was judged (${ended})`, { event: 'push-ended', ...fields });
    return;
  }
  const { accepted, rules, objects, bytes } = outcome;
  const refs = rules.length > 0 ? outcome.changes.length : outcome.changes.map(({ ref }) => printable(ref, 250));
  const more = { ...fields, refs, objects, bytes };
  if (accepted) log('info', `push to ${exchange.name} scanned and taken by upstream`, { event: 'push', ...more });
  else log('warn', `push to ${exchange.name} refused: ${rules.join(', ')}`, { event: 'push-refused', ...more, rules });
}

function fieldsOf({ protocol, name, client, started }: Exchange) {
  return { protocol, repo: printable(name, 100), client, duration_ms: Math.round(performance.now() - started) };
}

function verb({ service }: Exchange): string {
  return service === 'git-receive-pack' ? 'push' : 'fetch';
}
