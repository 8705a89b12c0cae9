import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatProblem } from '../config/problem.ts';
import { HEARTBEAT_INTERVAL } from '../healthcheck/heartbeat.ts';
import { createAnnouncer } from './announce.ts';
import { type LoadOptions, loadBundle } from './bundle/load.ts';
import type { Bundle } from './bundle/schema.ts';
import { concessionHere, unfitHere } from './child/fitness.ts';
import { protectFromOomKiller } from './child/oom.ts';
import { runDirectoryFault } from './child/run-directory.ts';
import { removeAllSecrets } from './child/secrets.ts';
import { makeDirectory } from './control/directory.ts';
import { runDirectoryOf, socketToServe } from './control/socket-path.ts';
import { isServed } from './control/unix-socket.ts';
import { createHistory } from './history.ts';
import { createIncarnations } from './incarnations.ts';
import { killEverything, leave } from './leave.ts';
import type { Effect } from './lifecycle/effect.ts';
import { createLogs } from './logs/create.ts';
import type { LogFormat } from './logs/logs.ts';
import { keepDescriptorsFromChildren } from './posix/descriptors.ts';
import { errnoOf } from './posix/errno.ts';
import { unblockSignals } from './posix/signal-mask.ts';
import { isTerminal } from './posix/terminal.ts';
import { becomeSubreaper } from './posix/this-process.ts';
import { createReaper } from './reaper.ts';
import { createRuntime } from './runtime.ts';
import type { Services } from './services.ts';
import type { SignalInbox } from './signals.ts';
import { healthOf } from './view.ts';

export interface RunOptions {
  /** The bundle file. */
  readonly file: string;
  /** Daemons to run; without it BOTTLED_DAEMONS and the profiles decide. */
  readonly only?: readonly string[];
  /** Path of the control socket. */
  readonly socket?: string;
  /** Without it, text on a terminal and JSON elsewhere. */
  readonly logFormat?: LogFormat;
  /** Signals that have come so far, and will. */
  readonly signals: SignalInbox;
}

/** Nothing was started: the bundle file, or where the init is to run, is not fit. */
const CONFIGURATION_ERROR = 2;
/** The init itself has a fault (EX_SOFTWARE of sysexits(3)). */
const INTERNAL_ERROR = 70;
/** How long changes are gathered before the bundle's health is looked at, in ms. */
const HEALTH_AFTER_MS = 10;
/** How long the end waits for the last lines to be written, in ms. */
const LAST_LINES_MS = 2_000;
/** The end of the end, whatever still hangs, in ms. */
const FINISH_MS = 4_000;
/** How long the end waits for outputs that strangers hold open, in ms. */
const DRAIN_MS = 100;

/**
 * Becomes the init of a bundle: starts its daemons and answers for them until the end, and ends the process with the
 * bundle's exit code. Only wiring: the rules are in lifecycle/, and what the start does not need comes after it.
 */
export async function run(options: RunOptions): Promise<void> {
  const source: LoadOptions = {
    file: options.file,
    environment: process.env,
    ...(options.only && { only: options.only }),
  };
  const loaded = await loadBundle(source);
  if (!loaded.ok) return refuse(loaded.problems.map(formatProblem));
  const unfit = unfitHere(loaded.bundle, options.file);
  if (unfit.length > 0) return refuse(unfit);
  const place = findSocket(options.socket);
  if ('error' in place) return refuse([place.error]);
  const { socket } = place;
  if (existsSync(socket) && (await isServed(socket))) {
    return refuse([`bottled: another init serves ${socket}; stop it, or give this one another --socket`]);
  }

  const runDirectory = runDirectoryOf(resolve(socket));
  const unusable = makeRunDirectory(runDirectory);
  if (unusable !== undefined) {
    return refuse([`bottled: ${unusable}; remove what is there, or give a place of its own with --socket PATH`]);
  }
  unblockSignals();
  becomeSubreaper();
  keepDescriptorsFromChildren();
  const { bundle, text } = loaded;
  const history = createHistory();
  const reaper = createReaper();
  const logs = createLogs(logOptions(options.logFormat, bundle));
  const incarnations = createIncarnations({
    bundle: () => runtime.state().bundle,
    runId: `${process.pid}-${Date.now().toString(36)}`,
    runDirectory,
    logs,
    reaper,
    scores: protectFromOomKiller(),
    send: (happening) => void runtime.send(happening),
  });
  const announce = createAnnouncer(logs.own, history, incarnations.pid);
  const runtime = createRuntime({ bundle, seed: process.pid ^ Date.now(), perform });
  let services: Services | undefined;
  let health = '';
  let changed = false;

  function perform(effect: Effect): void {
    announce(effect);
    switch (effect.type) {
      case 'spawn':
        incarnations.spawn(effect);
        return;
      case 'kill':
        incarnations.kill(effect);
        return;
      case 'probe':
        void loadServices().then(({ probe }) => probe(effect));
        return;
      case 'run-hooks':
        void loadServices().then(({ runHooks }) => runHooks(effect));
        return;
      case 'read-bundle':
        void loadServices().then(({ reload }) => reload({ plane: 'signal' }));
        return;
      case 'changed':
        if (!changed) setTimeout(reportHealth, HEALTH_AFTER_MS);
        changed = true;
        if (!runtime.state().daemons.has(effect.daemon)) services?.forget(effect.daemon);
        return;
      case 'kill-everything':
        killEverything();
        return;
      case 'exit':
        void finish(effect.code);
        return;
      default:
        return;
    }
  }

  /** Tells how the bundle is, where that has changed; once for all that changed within a short time. */
  function reportHealth(): void {
    changed = false;
    if (runtime.state().shutdown !== undefined) return;
    const report = healthOf(runtime.state());
    if (report.status !== health) {
      health = report.status;
      logs.own(health === 'unhealthy' ? 'error' : health === 'degraded' ? 'warn' : 'info', undefined, report.text);
    }
    services?.heartbeat.beat();
  }

  let loading: Promise<Services> | undefined;

  /** Probes, hooks, heartbeat and the control API: loaded once the daemons have been started. */
  function loadServices(): Promise<Services> {
    loading ??= import('./services.ts').then(({ createServices }) =>
      createServices({ source, text, socket, runDirectory, runtime, incarnations, history, logs, reaper }),
    );
    return loading;
  }

  /** A bundle that was over at once has nobody left to serve. */
  async function serve(): Promise<void> {
    if (runtime.state().exited) return;
    services = await loadServices();
    const { heartbeat } = services;
    heartbeat.beat();
    setInterval(heartbeat.beat, HEARTBEAT_INTERVAL);
    await Promise.all([services.serve(), logs.own.load()]);
  }

  async function finish(code: number): Promise<void> {
    setTimeout(() => leave(code, false), FINISH_MS);
    services?.heartbeat.close();
    await incarnations.drain(DRAIN_MS);
    await services?.close();
    removeRunDirectory(runDirectory);
    leave(code, await logs.flush(LAST_LINES_MS));
  }

  const onFault = (error: unknown): void => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logs.own('error', undefined, `internal error: ${detail}`);
    try {
      runtime.send({ type: 'fault', detail: error instanceof Error ? error.message : String(error) });
    } catch {
      // The policy itself is broken: there is no order left to end in.
      killEverything();
      leave(INTERNAL_ERROR, false);
    }
  };
  process.on('uncaughtException', onFault);
  process.on('unhandledRejection', onFault);

  for (const warning of loaded.warnings) logs.own('warn', undefined, formatProblem(warning));
  const concession = concessionHere(bundle);
  if (concession !== undefined) logs.own('warn', undefined, concession, { event: 'users-shared' });
  options.signals.setListener((signal) => void runtime.send({ type: 'signal', signal }));
  runtime.send({ type: 'begin' });
  setImmediate(() => void serve());
}

/** What the daemons could need of it is over. A place that has become read-only goes with its container. */
function removeRunDirectory(directory: string): void {
  try {
    removeAllSecrets(directory);
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // Nobody is left to tell.
  }
}

function refuse(lines: readonly string[]): void {
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exitCode = CONFIGURATION_ERROR;
}

function makeRunDirectory(path: string): string | undefined {
  try {
    makeDirectory(path);
    return runDirectoryFault(path);
  } catch (error) {
    return `cannot make the run directory ${path} (${errnoOf(error)})`;
  }
}

function findSocket(option: string | undefined): { readonly socket: string } | { readonly error: string } {
  try {
    return { socket: socketToServe(option, process.env) };
  } catch (error) {
    return { error: `bottled: ${error instanceof Error ? error.message : error}` };
  }
}

function logOptions(format: LogFormat | undefined, bundle: Bundle): Parameters<typeof createLogs>[0] {
  // process.stdout would set O_NONBLOCK on a pipe that others write to as well.
  const terminal = isTerminal(1);
  const names = ['bottled', ...Object.keys(bundle.daemons)];
  return {
    fd: 1,
    format: format ?? (terminal ? 'text' : 'json'),
    colour: terminal && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb',
    width: Math.min(24, Math.max(...names.map((name) => name.length))),
  };
}
