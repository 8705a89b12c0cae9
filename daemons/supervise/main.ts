import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { formatProblem, type Problem } from '../../config/problem.ts';
import { listen, portOf, trackConnections } from '../listen/listen.ts';
import { endOnFault } from '../log/fault.ts';
import { createLog } from '../log/log.ts';
import { serveMetrics } from '../metrics/server.ts';
import { createSidecarLlmClient } from '../model/client.ts';
import { parseRoutes } from '../routes/load.ts';
import type { Scanner } from '../scanner/finding.ts';
import { createScanner } from '../scanner/scanner.ts';
import { printable } from '../text/printable.ts';
import { oneAtATime } from '../watch/one-at-a-time.ts';
import { watchDirectoryOf } from '../watch/watch-directory.ts';
import { incidentDraft } from './incident-draft.ts';
import { followIncidents } from './incidents.ts';
import { openJournal } from './journal/journal.ts';
import { lockDirectory } from './journal/lock.ts';
import { createAgentServers } from './mcp/agent-server.ts';
import { createAgentSide } from './mcp/agent-side.ts';
import { createCallLimit } from './mcp/call-limit.ts';
import { createMetrics } from './metrics.ts';
import { createOperatorSide } from './operator/operator-side.ts';
import { listenAtSocket } from './operator/socket.ts';
import type { ModelState } from './opinion/model-watch.ts';
import { type SecondOpinions, startSecondOpinions } from './opinion/second-opinions.ts';
import type { Proposal } from './proposal.ts';
import { type Desk, openDesk } from './queue/desk.ts';
import { createDecisions, type Decisions } from './reports/decisions.ts';
import { createSpool } from './reports/spool.ts';
import { maskSecrets, tellFindings } from './secrets.ts';
import { readSettings, type Settings } from './settings.ts';
import { createTargetView, TARGETS, targetHashes } from './targets.ts';

/** What the operator wrote is wrong: trying again does not help. */
const EXIT_CONFIG = 2;
const EXIT_FAILED = 1;
/** How long calls may take to be answered after SIGTERM, and how long connections may stay. */
const ANSWER_MS = 2_000;
const DRAIN_MS = 4_000;

const EXPIRE_EVERY_MS = 1_000;
/** Directories are watched; this is for those that send no events. */
const LOOK_EVERY_MS = 5_000;
/** Looked for rather than watched: who reports may wait, and the directories of other users come and go. */
const TAKE_IN_EVERY_MS = 250;

/** Faults of requests: an agent can make as many as it likes. */
const MOST_FAULTS_TOLD_PER_MINUTE = 20;

const log = createLog('supervise');
endOnFault('supervise', log);
await main();

async function main(): Promise<void> {
  const read = readSettings(process.env);
  if (!read.ok) return leaveFor(read.problems);
  try {
    await run(read.settings);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log('error', `supervise cannot start: ${reason}`, { event: 'start-failed', reason });
    process.exit(EXIT_FAILED);
  }
}

async function run(settings: Settings): Promise<void> {
  const { data, config, limits } = settings;
  mkdirSync(data, { recursive: true, mode: 0o711 });
  const unlock = lockDirectory(data);
  if (unlock === undefined) throw new Error(`another supervise works in ${data}; stop that one first`);
  const scanner = createScanner({ knownSecrets: settings.knownSecrets });
  const now = (): Date => new Date();
  const desk = await openDesk({
    limits,
    now,
    open: (owner) => openJournal({ directory: data, mostBytes: settings.logBytes, owner, now }),
    onReadOnly: (reason) => log('error', `nothing is decided any more: ${reason}`, { event: 'read-only', reason }),
    onTorn: (file) =>
      log('warn', `the last record of the log had no end and was never answered; it was put aside`, {
        event: 'torn-record',
        file,
      }),
  });
  const decisions = createDecisions(join(data, 'decisions'));
  if (desk.readOnly === undefined) await decisions.bringUpToDate(desk.state);
  desk.subscribe((proposal) => note(proposal, desk, decisions));

  const stopping = new AbortController();
  const newServer = createAgentServers({
    desk,
    drafting: { config, scanner, view: createTargetView(scanner) },
    egress: settings.egress,
    wait_ms: settings.wait_ms,
    task_ms: limits.expiry_ms,
    stopping: stopping.signal,
    now: () => now().getTime(),
  });
  const mayTell = createCallLimit(MOST_FAULTS_TOLD_PER_MINUTE);
  const onError = (error: Error): void => {
    if (!mayTell(now().getTime())) return;
    log('warn', `a request failed: ${error.message.slice(0, 300)}`, { event: 'request-failed' });
  };
  const agentSide = createAgentSide({
    newServer,
    hosts: settings.hosts,
    health: () => ({
      isHealthy: desk.readOnly === undefined,
      body: {
        status: desk.readOnly === undefined ? 'healthy' : 'read-only',
        ...modelWarning(settings, opinions?.state),
      },
    }),
    onError,
    onRefused: (method, path, status) => {
      const asked = printable(`${method} ${path}`, 200);
      log('warn', `refused ${asked} with ${status}: MCP at /mcp is all that an agent is served`, {
        event: 'request-refused',
        asked,
        status,
      });
    },
    now: () => now().getTime(),
  });
  const opinions = secondOpinions(settings, desk, scanner);
  const operatorSide = createOperatorSide({
    desk,
    config,
    scanner,
    onError,
    modelStatus: () =>
      opinions === undefined ? null : { name: settings.opinion?.model, state: opinions.state, ...opinions.counts },
    faultsOf: async ({ kind }, final) => {
      const masked = await maskSecrets(scanner, final);
      if (!masked.ok) return [`it cannot be told whether it holds a secret: ${masked.reason}`];
      if (masked.findings.length > 0) return [`it holds what looks like a secret (${tellFindings(masked.findings)})`];
      const loaded = kind === 'egress-block' ? await parseRoutes('routes.yaml', final) : undefined;
      return loaded?.ok === false ? loaded.problems.map(formatProblem) : [];
    },
  });

  const connections = new Set<Socket>();
  for (const server of [agentSide.server, operatorSide.server]) trackConnections(server, connections);
  await listenAtSocket(operatorSide.server, settings.socket);
  await listen(agentSide.server, settings.listen, settings.port);
  const metrics = createMetrics(desk, () => agentSide.sessions, opinions);
  const { port: metricsPort } = await serveMetrics(settings.metricsPort, metrics.render);
  const ports = { port: portOf(agentSide.server), metricsPort };
  const { seq, hash } = desk.head;
  log('info', `supervise listens on port ${ports.port}; the log has ${seq} records`, {
    event: 'listening',
    ...ports,
    socket: settings.socket,
    records: seq,
    hash,
  });

  const endChores = startChores(
    settings,
    desk,
    settings.reports.map((source) => createSpool({ source, desk, scanner, log, now: () => now().getTime() })),
  );
  const endIncidents = takeInIncidents(settings, desk, scanner);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort');

  log('info', 'supervise stops: calls that wait are answered "pending", and what was proposed stays', {
    event: 'stopping',
  });
  endIncidents();
  await endChores();
  await opinions?.close();
  operatorSide.close();
  await drain([agentSide.server, operatorSide.server], connections, () => agentSide.close());
  await desk.close();
  await scanner.close();
  unlock();
  log('info', 'supervise has stopped', { event: 'stopped', records: desk.head.seq, hash: desk.head.hash });
  process.exit(0);
}

/** For the init, whose status shows it: a model that is away changes nothing else. */
function modelWarning({ opinion }: Settings, state: ModelState | undefined): { readonly warning?: string } {
  if (opinion === undefined || state === undefined || state === 'ready') return {};
  const what = state === 'starting' ? 'has not answered yet' : 'does not answer';
  return { warning: `the model ${opinion.model} at ${opinion.url} ${what}: proposals come without its opinion` };
}

function secondOpinions({ opinion }: Settings, desk: Desk, scanner: Scanner): SecondOpinions | undefined {
  if (opinion === undefined) return undefined;
  const { url, model, deadline_ms } = opinion;
  const client = createSidecarLlmClient({ baseUrl: url, model });
  return startSecondOpinions({ client, model, deadline_ms, desk, scanner, log });
}

/** Incidents of the init, from where the last one that was taken in left off. Gives back what ends it. */
function takeInIncidents({ initSocket }: Settings, desk: Desk, scanner: Scanner): () => void {
  if (initSocket === undefined) return () => {};
  return followIncidents({
    socket: initSocket,
    log,
    since: desk.state.lastIncident,
    post: async (incident) => {
      const submitted = await desk.submit(await incidentDraft(scanner, incident));
      // One too many is counted as refused: it would be too many the next time as well.
      if (!submitted.ok && submitted.cause === 'read-only') throw new Error(submitted.reason);
    },
  });
}

/** Expiry, changed targets, reports: by the clock, when a file changes, and on SIGHUP. Gives back what ends them. */
function startChores({ config }: Settings, desk: Desk, spools: readonly (() => Promise<void>)[]): () => Promise<void> {
  const failed = (error: unknown): void =>
    log('warn', `something was put off: ${error instanceof Error ? error.message : String(error)}`, {
      event: 'chore-failed',
    });
  const takeIn = oneAtATime(async () => {
    for (const spool of spools) await spool().catch(failed);
  });
  const dropStale = oneAtATime(() => desk.dropStale(() => targetHashes(config)).catch(failed));
  const all = (): void => {
    takeIn.run();
    dropStale.run();
  };
  const stops = TARGETS.map((target) => watchDirectoryOf(join(config, target), dropStale.run));
  const timers = [
    setInterval(() => void desk.expire().catch(failed), EXPIRE_EVERY_MS),
    setInterval(takeIn.run, TAKE_IN_EVERY_MS),
    setInterval(dropStale.run, LOOK_EVERY_MS),
  ];
  process.on('SIGHUP', all);
  all();
  return async () => {
    for (const stop of stops) stop();
    for (const timer of timers) clearInterval(timer);
    await Promise.all([takeIn.done(), dropStale.done()]);
  };
}

/** Each change of the queue, in the log of the daemon; the hash of the record lets one who kept this line find a log that was made anew. */
function note(proposal: Proposal, desk: Desk, decisions: Decisions): void {
  const { id, kind, source, status, decision, opinion } = proposal;
  const by = decision === null ? '' : ` by ${decision.by}`;
  const advice = opinion === null ? '' : `; a model calls the risk ${opinion.risk}`;
  const message =
    status === 'pending' ? `${id} of ${source} waits for the operator${advice}` : `${id} is ${status}${by}`;
  const risk = opinion === null ? {} : { risk: opinion.risk };
  const { seq, hash } = desk.head;
  log('info', message, { event: 'proposal', id, kind, source, status, ...risk, records: seq, hash });
  decisions.write(proposal).catch((error: unknown) => {
    log('error', `the decision about ${id} cannot be handed to ${source}: ${String(error)}`, {
      event: 'decision-not-written',
      id,
    });
  });
}

function leaveFor(problems: readonly Problem[]): void {
  for (const problem of problems)
    log('error', formatProblem(problem), { event: 'bad-configuration', file: problem.file });
  process.exitCode = EXIT_CONFIG;
}

/** Lets calls be answered, then ends sessions and streams, then cuts off who is still there. */
async function drain(
  servers: readonly HttpServer[],
  connections: ReadonlySet<Socket>,
  endStreams: () => Promise<void>,
): Promise<void> {
  const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  const begun = Date.now();
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, ANSWER_MS))]);
  await endStreams();
  const closeIdle = setInterval(() => {
    for (const server of servers) server.closeIdleConnections();
  }, 50);
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, DRAIN_MS - (Date.now() - begun)))]);
  clearInterval(closeIdle);
  for (const socket of connections) socket.destroy();
}
