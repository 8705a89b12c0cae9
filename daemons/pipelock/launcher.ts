import { statSync } from 'node:fs';
import type { Server } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { formatProblem } from '../../config/problem.ts';
import type { Log } from '../log/log.ts';
import { watchDirectoryOf } from '../watch/watch-directory.ts';
import { type ConfigFile, configFile } from './config-file.ts';
import type { Engine, Running } from './engine.ts';
import { formatListen, type LauncherSettings } from './environment.ts';
import { generate, type RoutePolicy } from './generator.ts';
import { askHealth, STAND_IN_WARNING, serveHealth, untilAnswers } from './health.ts';
import type { PipelockConfig } from './pipelock-config.ts';
import { NO_ROUTES, readRoutePolicy } from './route-policy.ts';
import { DEFAULT_SETTINGS, loadSettings, type Settings } from './settings.ts';

/** The launcher at work. */
export interface Launcher {
  /** The exit code to end with, once the engine has ended. */
  readonly ended: Promise<number>;
  /** Reads routes and settings again and, if they are good, makes the engine use them. Never rejects. */
  reload(): Promise<void>;
  stop(): void;
}

/** An end before the engine ran: 2 where trying again cannot help, as pipelock itself has it; 1 where it might. */
export interface Refused {
  readonly exitCode: 2 | 1;
}

/** Generates, checks and installs the configuration, starts the engine and keeps it up to date. */
export async function launch(launcher: LauncherSettings, engine: Engine, log: Log): Promise<Launcher | Refused> {
  const changes = noteChanges(launcher);
  const launched = await launchNoting(changes, launcher, engine, log);
  if ('exitCode' in launched) changes.stop();
  return launched;
}

async function launchNoting(
  changes: Changes,
  launcher: LauncherSettings,
  engine: Engine,
  log: Log,
): Promise<Launcher | Refused> {
  const settings = await readSettings(launcher, log);
  if (settings === undefined) return { exitCode: 2 };
  const file = openConfigFile(launcher.dataDirectory, log);
  if (file === undefined) return { exitCode: 2 };
  const config = configOf(await firstPolicy(launcher, log), settings, launcher);
  const installation = await install(file, config, engine, log);
  if (installation !== 'installed') return { exitCode: installation === 'refused' ? 2 : 1 };
  const started = await start(launcher, engine, file.path, log);
  if (started === undefined) return { exitCode: 1 };
  announce(engine, launcher, config, log);
  return keepUpToDate({ launcher, engine, file, config, changes, log, ...started });
}

interface Started {
  readonly running: Running;
  readonly health: Server;
}

interface Work extends Started {
  readonly launcher: LauncherSettings;
  readonly engine: Engine;
  readonly file: ConfigFile;
  /** What the engine was started with. */
  readonly config: PipelockConfig;
  readonly changes: Changes;
  readonly log: Log;
}

/** Changes of the files of routes and settings. */
interface Changes {
  /** Who is called at each change; at once, where there was one before. */
  tell(reload: () => void): void;
  stop(): void;
}

/** Watches the files from before they are read for the first time: the engine takes its time to start, and what changes meanwhile counts. */
function noteChanges({ routesFile, settingsFile }: LauncherSettings): Changes {
  let hasChanged = false;
  let changed = (): void => {
    hasChanged = true;
  };
  const files = [routesFile, ...(settingsFile === undefined ? [] : [settingsFile])];
  const watches = files.map((path) => watchDirectoryOf(path, () => changed()));
  return {
    tell(reload) {
      changed = reload;
      if (hasChanged) reload();
    },
    stop() {
      for (const stop of watches) stop();
    },
  };
}

/** Watches the files and reloads when asked to, one reload at a time, until the engine ends. */
function keepUpToDate({ launcher, engine, file, config, changes, log, running, health }: Work): Launcher {
  let current = config;
  let last = Promise.resolve();
  let isWaiting = false;
  changes.tell(() => void reload());

  /** Requests that come while one reload waits for another become one. */
  function reload(): Promise<void> {
    if (isWaiting) return last;
    isWaiting = true;
    last = last.then(() => {
      isWaiting = false;
      return reloadOnce();
    });
    return last;
  }

  async function reloadOnce(): Promise<void> {
    const routes = await readRoutePolicy(launcher.routesFile);
    const settings = await readSettings(launcher, log);
    if (!routes.ok) tellBadRoutes(routes.problems, 'the routes that were in force stay in force', log);
    if (!routes.ok || settings === undefined) return;
    const next = configOf(routes.policy, settings, launcher);
    if (isDeepStrictEqual(next, current)) {
      log('info', 'reload: nothing has changed', { event: 'pipelock.unchanged' });
      return;
    }
    if ((await install(file, next, engine, log)) !== 'installed') return;
    await untilAnswers(launcher.listen);
    const how = await running.reload(current, next);
    current = next;
    log('info', `${how}: these hosts may be reached now: ${next.api_allowlist.join(', ')}`, {
      event: `pipelock.${how}`,
      hosts: next.api_allowlist,
    });
  }

  const ended = running.ended.then((code) => {
    changes.stop();
    health.close();
    health.closeAllConnections();
    return code;
  });
  return { ended, reload, stop: running.stop };
}

function openConfigFile(directory: string, log: Log): ConfigFile | undefined {
  try {
    return configFile(directory);
  } catch (error) {
    log('error', `PIPELOCK_DATA: cannot use ${directory}: ${messageOf(error)}`, { event: 'pipelock.bad-data' });
    return undefined;
  }
}

/** The engine and its health page, or undefined after it was told why there is neither. */
async function start(
  launcher: LauncherSettings,
  engine: Engine,
  configuration: string,
  log: Log,
): Promise<Started | undefined> {
  let running: Running | undefined;
  try {
    running = await engine.start(configuration);
    const health = await serveHealth(launcher.healthPort, () => askHealth(engine.kind, launcher.listen));
    const where = `http://127.0.0.1:${health.port}/health`;
    log('info', `health is told on ${where}`, { event: 'pipelock.health-listening', port: health.port });
    return { running, health: health.server };
  } catch (error) {
    const reason = messageOf(error);
    log('error', `cannot start: ${reason}`, { event: 'pipelock.start-failed', reason });
    running?.stop();
    await running?.ended;
    return undefined;
  }
}

function configOf(policy: RoutePolicy, settings: Settings, launcher: LauncherSettings): PipelockConfig {
  return generate(policy, settings, { proxy: launcher.listen, metrics: launcher.metrics });
}

/** The settings, or undefined after every problem with them was told. A bundle need not have a file of them. */
async function readSettings({ settingsFile }: LauncherSettings, log: Log): Promise<Settings | undefined> {
  if (settingsFile === undefined) return DEFAULT_SETTINGS;
  if (!isThere(settingsFile)) {
    log('info', `there is no ${settingsFile}: the default settings hold`, { event: 'pipelock.default-settings' });
    return DEFAULT_SETTINGS;
  }
  const loaded = await loadSettings(settingsFile);
  if (loaded.ok) return loaded.value;
  for (const problem of loaded.problems) log('error', formatProblem(problem), { event: 'pipelock.bad-settings' });
  return undefined;
}

/** Whether there is anything by this name. What cannot be looked at is there: defaults must not hold in place of what it says. */
function isThere(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** The routes at the start. Bad ones let nothing out, as in egress, so that mending the file is enough. */
async function firstPolicy({ routesFile }: LauncherSettings, log: Log): Promise<RoutePolicy> {
  const read = await readRoutePolicy(routesFile);
  if (read.ok) return read.policy;
  tellBadRoutes(read.problems, 'no host may be reached until it is mended', log);
  return NO_ROUTES;
}

function tellBadRoutes(problems: readonly string[], consequence: string, log: Log): void {
  for (const problem of problems) log('error', `${problem}; ${consequence}`, { event: 'pipelock.bad-routes' });
}

/** Installs a configuration, or tells why not: the engine refuses it, or it cannot be written, which a full disk may be tomorrow. */
async function install(
  file: ConfigFile,
  config: PipelockConfig,
  engine: Engine,
  log: Log,
): Promise<'installed' | 'refused' | 'unwritten'> {
  try {
    const faults = await file.install(config, engine.check);
    for (const fault of faults) {
      log('error', `the generated configuration is refused: ${fault}`, { event: 'pipelock.check-failed' });
    }
    return faults.length === 0 ? 'installed' : 'refused';
  } catch (error) {
    const reason = messageOf(error);
    log('error', `PIPELOCK_DATA: cannot write the configuration: ${reason}`, { event: 'pipelock.bad-data', reason });
    return 'unwritten';
  }
}

function announce(engine: Engine, launcher: LauncherSettings, config: PipelockConfig, log: Log): void {
  if (engine.kind === 'embedded') {
    log('warn', `pipelock is NOT running: ${STAND_IN_WARNING}; see docs/pipelock.md`, { event: 'pipelock.stand-in' });
  }
  const where = formatListen(launcher.listen);
  log('info', `${engine.kind === 'embedded' ? 'the stand-in' : 'pipelock'} is started on ${where}`, {
    event: 'pipelock.started',
    engine: engine.kind,
    listen: where,
    hosts: config.api_allowlist,
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
