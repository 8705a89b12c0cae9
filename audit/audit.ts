import { digestOfFile } from '../config/digest.ts';
import { formatProblem } from '../config/problem.ts';
import { loadBundle } from '../init/bundle/load.ts';
import { runDirectoryOf } from '../init/control/socket-path.ts';
import type { BundleStatus } from '../init/status.ts';
import { VERSION } from '../init/version.ts';
import { certificateRow } from './certificates.ts';
import { configurationRow } from './configuration.ts';
import { dataRow } from './data.ts';
import { healthRows } from './health.ts';
import { versionRow } from './images.ts';
import { leftoverRows } from './leftovers.ts';
import { lookAtCertificates } from './look/certificates.ts';
import { lookAtConfiguration } from './look/configuration.ts';
import { lookAtData } from './look/data.ts';
import { lookForLeftovers } from './look/leftovers.ts';
import { declaredPorts, lookAtListeners, lookAtUnixSockets } from './look/ports.ts';
import { type InitProcess, lookAtProcesses } from './look/processes.ts';
import { lookAtPrograms } from './look/programs.ts';
import { portRows } from './ports.ts';
import { programRows } from './programs.ts';
import { AREAS, drift, type Row, unknown } from './row.ts';

export interface AuditOptions {
  readonly status: BundleStatus;
  readonly init: InitProcess;
  /** The bundle file that says how things are to be. */
  readonly file: string;
  /** The control socket. */
  readonly socket: string;
  /** That of the init, where it may be seen. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** In ms since 1970. */
  readonly now: number;
}

/** Compares a running bundle with what is declared of it. It changes nothing. */
export async function audit(options: AuditOptions): Promise<readonly Row[]> {
  const { status, init, file, socket, environment, now } = options;
  const names = status.daemons.map(({ name }) => name);
  const loaded = await loadBundle({ file, environment, only: init.only });
  const version = versionRow(status.bundle.version, VERSION, environment.BOTTLED_REVISION);
  if (!loaded.ok) {
    const [problem] = loaded.problems;
    const invalid = { kind: 'invalid', problem: problem === undefined ? '' : formatProblem(problem) } as const;
    return [
      configurationRow({ file, daemon: 'bottled', onDisk: invalid, apply: '' }),
      unknown('data', 'the rest', 'not looked at: only a valid bundle file says what is declared', 'bottled check'),
      ...healthRows(status, undefined),
      version,
    ];
  }
  const { bundle } = loaded;
  const [programs, configuration, certificates] = await Promise.all([
    lookAtPrograms(environment, bundle),
    lookAtConfiguration(bundle),
    lookAtCertificates(bundle),
  ]);
  const ports = {
    declared: declaredPorts(bundle, status),
    listeners: lookAtListeners(init.pid),
    processes: lookAtProcesses(init.pid),
    initPid: init.pid,
    isProcessOne: init.isProcessOne,
  };
  const leftovers = lookForLeftovers(bundle, [runDirectoryOf(socket)], lookAtUnixSockets(init.pid));
  const rows = [
    bundleRow(file, status),
    ...programRows(programs),
    ...configuration.map(configurationRow),
    ...lookAtData(bundle, init).map(dataRow),
    ...portRows(ports),
    ...certificates.map((certificate) => certificateRow(certificate, now)),
    ...healthRows(status, Object.keys(bundle.daemons)),
    version,
    ...leftoverRows(leftovers, now),
    ...surplus(names, Object.keys(bundle.daemons)),
  ];
  return inOrder(rows);
}

/** Rows by area, each area in the order in which it was looked at. */
export function inOrder(rows: readonly Row[]): readonly Row[] {
  return AREAS.flatMap((area) => rows.filter((row) => row.area === area));
}

/** The init tells the digest of the file that it runs by. */
function bundleRow(file: string, { bundle }: BundleStatus): Row {
  const isInForce = digestOfFile(file) === bundle.sha256;
  const onDisk = isInForce ? ({ kind: 'valid', isInForce } as const) : ({ kind: 'other' } as const);
  return configurationRow({ file, daemon: 'bottled', onDisk, apply: 'bottled check && bottled reload' });
}

function surplus(running: readonly string[], declared: readonly string[]): readonly Row[] {
  return running
    .filter((name) => !declared.includes(name))
    .map((name) => drift('health', name, 'runs, but the bundle file does not have it', 'bottled reload'));
}
