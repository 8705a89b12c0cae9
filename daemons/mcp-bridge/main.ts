import { hash } from 'node:crypto';
import { once } from 'node:events';
import { isIPv6, type Socket } from 'node:net';
import { formatProblem, type Problem } from '../../config/problem.ts';
import { listen, portOf, trackConnections } from '../listen/listen.ts';
import { endOnFault } from '../log/fault.ts';
import { createLog, type Log } from '../log/log.ts';
import { serveMetrics } from '../metrics/server.ts';
import { oneAtATime } from '../watch/one-at-a-time.ts';
import { watchDirectoryOf } from '../watch/watch-directory.ts';
import { type Bridge, createBridge } from './bridge.ts';
import { loadPolicy } from './config/load.ts';
import { readSecret } from './config/secrets.ts';
import { within } from './relay/within.ts';
import { readSettings, type Settings } from './settings.ts';
import { createDockerManager } from './tools/docker.ts';
import { createE2bManager } from './tools/e2b.ts';
import { createLocalManager } from './tools/local.ts';
import type { Driver, ProcessManager } from './tools/process.ts';

/** What the operator wrote is wrong: trying again does not help. */
const EXIT_CONFIG = 2;
const EXIT_FAILED = 1;
/** How long requests may go on after SIGTERM. */
const DRAIN_MS = 2000;
/** How long tools have then to end by themselves; what is left is swept away. */
const TOOLS_MS = 2500;
/** The last resort: less than the bundle waits for a daemon. */
const STOP_MS = 7500;

const log = createLog('mcp-bridge');
endOnFault('mcp-bridge', log);
await main();

async function main(): Promise<void> {
  const read = readSettings(process.env);
  if (!read.ok) return leaveFor(read.problems);
  const { settings } = read;
  const sources = { credentials: settings.credentials, variables: process.env };
  const loaded = await loadPolicy(settings.file, sources);
  if (!loaded.ok) return leaveFor(loaded.problems);
  for (const warning of loaded.warnings) log('warn', formatProblem(warning), { event: 'policy-warning' });
  const managers = createManagers(settings, log);
  const bridge = createBridge({ settings, policy: loaded.policy, managers, log });
  const connections = new Set<Socket>();
  const stopped = new AbortController();
  let metricsPort: number;
  try {
    await Promise.all(Object.values(managers).map((manager) => manager.sweep()));
    await listen(bridge.server, settings.listen, settings.port);
    metricsPort = (await serveMetrics(settings.metricsPort, bridge.metrics.render)).port;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log('error', `mcp-bridge cannot start: ${reason}`, { event: 'start-failed', reason });
    process.exit(EXIT_FAILED);
  }
  trackConnections(bridge.server, connections);
  const names = [...loaded.policy.tools.keys()];
  const host = isIPv6(settings.listen) ? `[${settings.listen}]` : settings.listen;
  const port = portOf(bridge.server);
  log(
    'info',
    `mcp-bridge serves ${names.length} ${names.length === 1 ? 'tool' : 'tools'} at http://${host}:${port}/mcp`,
    {
      event: 'listening',
      port,
      metricsPort,
      tools: names,
    },
  );
  if (names.length === 0) {
    const message = `${settings.file} names no tool, so there is nothing to call; write spec.tools into it`;
    log('warn', message, { event: 'no-tools', file: settings.file });
  }

  const reload = createReload(settings, bridge);
  process.on('SIGHUP', reload);
  const stopWatching = watchDirectoryOf(settings.file, reload);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopped.abort());

  await once(stopped.signal, 'abort');
  stopWatching();
  log('info', 'mcp-bridge stops: it takes no more requests and ends those that run', { event: 'stopping' });
  const atMost = setTimeout(() => process.exit(0), STOP_MS);
  await drain(bridge, connections);
  await Promise.all(Object.values(managers).map((manager) => manager.sweep()));
  clearTimeout(atMost);
  log('info', 'mcp-bridge has stopped', { event: 'stopped' });
  process.exit(0);
}

function createManagers(settings: Settings, own: Log): Readonly<Record<Driver, ProcessManager>> {
  // What an earlier life left behind is swept away by this name: no other bridge of the machine may share it.
  const place = `${settings.file} ${settings.listen} ${settings.port}`;
  const instance = `mcp-bridge-${hash('sha256', place).slice(0, 12)}`;
  const key = readSecret('E2B_API_KEY', { credentials: settings.credentials, variables: process.env });
  const variables = process.env;
  return {
    local: createLocalManager({ instance, variables }),
    'local-docker': createDockerManager({ instance, variables, log: own }),
    e2b: createE2bManager({ instance, apiKey: key.ok ? key.value : undefined, log: own }),
  };
}

function leaveFor(problems: readonly Problem[]): void {
  for (const problem of problems)
    log('error', formatProblem(problem), { event: 'bad-configuration', file: problem.file, line: problem.line });
  process.exitCode = EXIT_CONFIG;
}

/** One reload at a time; a request for one meanwhile is one more afterwards. A bad file keeps what is in force. */
function createReload(settings: Settings, bridge: Bridge): () => void {
  async function run(): Promise<void> {
    const loaded = await loadPolicy(settings.file, { credentials: settings.credentials, variables: process.env });
    bridge.metrics.countReload(loaded.ok ? 'taken' : 'refused');
    if (loaded.ok) {
      await bridge.configure(loaded.policy);
      log('info', `the policy is in force: ${loaded.policy.tools.size} tools`, { event: 'reloaded' });
      return;
    }
    for (const problem of loaded.problems)
      log('error', formatProblem(problem), { event: 'bad-configuration', file: problem.file, line: problem.line });
    log('error', 'the policy is not taken over; what was in force stays so', { event: 'reload-refused' });
  }
  return oneAtATime(() =>
    run().catch((error: unknown) => {
      log('error', `the policy was not taken over: ${String(error)}`, { event: 'reload-refused' });
    }),
  ).run;
}

/** Lets what runs end, then ends sessions and tools, then what is left. */
async function drain(bridge: Bridge, connections: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise((resolve) => bridge.server.close(resolve));
  bridge.server.closeIdleConnections();
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref())]);
  await within(TOOLS_MS, bridge.stop());
  for (const socket of connections) socket.destroy();
}
