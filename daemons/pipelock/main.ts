import { createLog } from '../log/log.ts';
import { createScanner } from '../scanner/scanner.ts';
import { findBinary } from './binary.ts';
import { embeddedEngine } from './embedded-engine.ts';
import type { Engine } from './engine.ts';
import { type LauncherSettings, readEnvironment } from './environment.ts';
import { type Launcher, launch } from './launcher.ts';
import { realEngine } from './real-engine.ts';
import { LONGEST_BODY } from './settings.ts';

const log = createLog('pipelock');
let launcher: Launcher | undefined;
let isStopping = false;
let isReloadWanted = false;

process.on('SIGUSR1', () => {
  const message = 'SIGUSR1 is ignored: pipelock takes it for its kill switch. To restart pipelock, restart this daemon';
  log('warn', message, { event: 'pipelock.usr1-ignored' });
});
process.on('SIGHUP', reload);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
process.on('uncaughtException', (error) => {
  log('error', `internal fault: ${error.message}`, { event: 'pipelock.fault' });
  launcher?.stop();
  process.exit(70);
});
process.exit(await run());

/** Runs until the engine has ended. Returns the code to exit with. */
async function run(): Promise<number> {
  const read = readEnvironment(process.env);
  if (!read.ok) {
    for (const problem of read.problems) log('error', problem, { event: 'pipelock.bad-environment' });
    return 2;
  }
  const engine = chooseEngine(read.settings);
  if (engine === undefined) return 2;
  const launched = await launch(read.settings, engine, log);
  if ('exitCode' in launched) return launched.exitCode;
  launcher = launched;
  if (isStopping) launched.stop();
  else if (isReloadWanted) reload();
  return launched.ended;
}

/** What comes while the engine starts is done when it has. */
function reload(): void {
  isReloadWanted = true;
  void launcher?.reload();
}

function stop(): void {
  isStopping = true;
  launcher?.stop();
}

function chooseEngine(settings: LauncherSettings): Engine | undefined {
  const binary = settings.engine === 'embedded' ? undefined : findBinary(settings.binary, process.env.PATH);
  if (binary !== undefined) return realEngine(binary, log);
  const where = settings.binary ?? 'pipelock on PATH';
  if (settings.engine === 'pipelock') {
    const message = `${where} is not an executable program; install pipelock, or set PIPELOCK_ENGINE=embedded`;
    log('error', message, { event: 'pipelock.no-binary' });
    return undefined;
  }
  if (settings.engine === 'auto') {
    const message = `${where} is not there: the embedded stand-in does its work. Install pipelock for the real one`;
    log('warn', message, { event: 'pipelock.no-binary' });
  }
  return embeddedEngine(createScanner({ knownSecrets: settings.knownSecrets, mostBytes: LONGEST_BODY }), log);
}
