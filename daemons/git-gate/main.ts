import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { formatProblem, type Problem } from '../../config/problem.ts';
import { listen, portOf, trackConnections } from '../listen/listen.ts';
import { createLog, type Log } from '../log/log.ts';
import { createReporter } from '../reports/reporter.ts';
import { oneAtATime } from '../watch/one-at-a-time.ts';
import { watchDirectoryOf } from '../watch/watch-directory.ts';
import { type GateConfig, loadGateConfig } from './config/load.ts';
import { createGate } from './gate.ts';
import { createGateScanner } from './gate-scanner.ts';
import { maintain } from './mirror/maintain.ts';
import { prepareData } from './mirror/mirror.ts';
import { writeOwnSecrets } from './own-secrets.ts';
import { createGitServer } from './serve/git-server.ts';
import { createHttpServer } from './serve/http-server.ts';
import type { Serving } from './serve/serving.ts';
import { readSettings, type Settings } from './settings.ts';

/** What the operator wrote is wrong: trying again does not help. */
const EXIT_CONFIG = 2;
const EXIT_FAILED = 1;
/** How long requests may go on after SIGTERM. */
const DRAIN_MS = 4500;

const log = createLog('git-gate');
await main();

async function main(): Promise<void> {
  const read = readSettings(process.env);
  if (!read.ok) return leaveFor(read.problems);
  const { settings } = read;
  const loaded = await loadGateConfig(settings.file);
  if (!loaded.ok) return leaveFor(loaded.problems);
  const gate = createGate(settings, loaded.value, log);
  const { scanner, secondEngine } = createGateScanner(settings, log);
  const reporter =
    settings.reports && createReporter({ source: 'git-gate', places: settings.reports, clock: Date.now });
  const serving: Serving = { gate, settings, log, scanner, secondEngine, reporter };
  let isReady = false;
  const http = createHttpServer(serving, () => isReady);
  const git = settings.gitPort === undefined ? undefined : createGitServer(serving, () => isReady);
  const connections = new Set<Socket>();
  const stopped = new AbortController();

  try {
    // The ports come first: where another gate already runs, this one must not touch the data.
    await listen(http, settings.listen, settings.httpPort);
    if (git !== undefined && settings.gitPort !== undefined) await listen(git, settings.listen, settings.gitPort);
    prepareData(settings);
    await noteOwnSecrets(settings, loaded.value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log('error', `git-gate cannot start: ${reason}`, { event: 'start-failed', reason });
    process.exit(EXIT_FAILED);
  }
  trackConnections(http, connections);
  if (git !== undefined) trackConnections(git, connections);
  isReady = true;
  logListening(settings, http, git, loaded.value);
  const maintaining = maintain(settings, () => gate.config, log, stopped.signal);

  const reload = createReload(settings, gate.configure, log);
  process.on('SIGHUP', reload);
  const stopWatching = watchDirectoryOf(settings.file, reload);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopped.abort());

  await once(stopped.signal, 'abort');
  stopWatching();
  log('info', 'git-gate stops: it takes no more requests and ends those that run', { event: 'stopping' });
  await drain([http, ...(git === undefined ? [] : [git])], connections);
  await maintaining;
  await scanner.close();
  log('info', 'git-gate has stopped', { event: 'stopped' });
  process.exit(0);
}

async function noteOwnSecrets(settings: Settings, config: GateConfig): Promise<void> {
  for (const fault of await writeOwnSecrets(settings, config)) {
    log('error', `the secret ${fault}: what needs it is refused until it is there`, { event: 'secret-missing' });
  }
}

function leaveFor(problems: readonly Problem[]): void {
  for (const problem of problems)
    log('error', formatProblem(problem), { event: 'bad-configuration', file: problem.file, line: problem.line });
  process.exitCode = EXIT_CONFIG;
}

function logListening(settings: Settings, http: Server, git: Server | undefined, config: GateConfig): void {
  const ports = { http: portOf(http), git: git === undefined ? undefined : portOf(git) };
  const host = settings.listen.includes(':') ? `[${settings.listen}]` : settings.listen;
  const at = (scheme: string, port: number | undefined): string => `${scheme}://${host}:${port}`;
  const also = ports.git === undefined ? '' : ` and ${at('git', ports.git)}`;
  const names = [...config.repos.keys()];
  log(
    'info',
    `git-gate serves ${names.length} ${names.length === 1 ? 'repository' : 'repositories'} at ${at('http', ports.http)}${also}`,
    {
      event: 'listening',
      ...ports,
      repos: names,
    },
  );
  if (names.length > 0) return;
  const message = `${settings.file} names no repository, so there is nothing to clone or push; write repos into it`;
  log('warn', message, { event: 'no-repositories', file: settings.file });
}

/** One reload at a time; a request for one meanwhile is one more afterwards. A bad file keeps what is in force. */
function createReload(settings: Settings, configure: (config: GateConfig) => void, log: Log): () => void {
  async function run(): Promise<void> {
    const loaded = await loadGateConfig(settings.file);
    if (loaded.ok) {
      await noteOwnSecrets(settings, loaded.value);
      configure(loaded.value);
      log('info', `git-gate.yaml is in force: ${loaded.value.repos.size} repositories`, {
        event: 'reloaded',
        repos: [...loaded.value.repos.keys()],
      });
      return;
    }
    for (const problem of loaded.problems)
      log('error', formatProblem(problem), { event: 'bad-configuration', file: problem.file, line: problem.line });
    log('error', 'git-gate.yaml is not taken over; what was in force stays so', { event: 'reload-refused' });
  }
  return oneAtATime(() =>
    run().catch((error: unknown) => {
      log('error', `git-gate.yaml was not taken over: ${String(error)}`, { event: 'reload-refused' });
    }),
  ).run;
}

/** Waits for what runs, and cuts it off when it takes too long: git cleans up behind itself then. */
async function drain(servers: readonly Server[], connections: ReadonlySet<Socket>): Promise<void> {
  const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  for (const server of servers)
    if ('closeIdleConnections' in server && typeof server.closeIdleConnections === 'function')
      server.closeIdleConnections();
  const cut = setTimeout(() => {
    for (const socket of connections) socket.destroy();
  }, DRAIN_MS - 1500);
  const atMost = new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
  await Promise.race([closed, atMost]);
  clearTimeout(cut);
}
