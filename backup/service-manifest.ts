import { type BACKUP_CLASSES, modeText } from '../init/bundle/data.ts';
import { probeText, shellWord } from '../init/bundle/plan.ts';
import type { Bundle, DaemonSpec } from '../init/bundle/schema.ts';

export type BackupClass = (typeof BACKUP_CLASSES)[number];

/** One path in which something lies, and how it is got back when it is lost. */
export interface ServicePath {
  readonly path: string;
  readonly kind: 'data' | 'config';
  readonly backup: BackupClass;
  /** As chmod(1) takes it; empty for what the init does not make. */
  readonly mode: string;
  readonly purpose: string;
}

/** What is to be known of one service to install it anew somewhere else. Holds no value of a variable. */
export interface Service {
  readonly name: string;
  readonly purpose: string;
  /** Where its code is. */
  readonly source: string;
  readonly install: string;
  readonly command: string;
  readonly user: string;
  readonly paths: readonly ServicePath[];
  readonly log: string;
  readonly health: string;
  /** Names of the variables that it is given, and patterns of those that are passed on. */
  readonly environment: readonly string[];
  /** Names of the secrets that it is given. */
  readonly secrets: readonly string[];
}

/** The table of all services of a bundle: the init first, then its daemons as the bundle file has them. */
export interface ServiceManifest {
  readonly bundle: string;
  readonly services: readonly Service[];
}

/** The service manifest of a bundle. The same bundle gives the same manifest. */
export function serviceManifest(bundle: Bundle): ServiceManifest {
  const daemons = Object.entries(bundle.daemons).map(([name, spec]) => serviceOf(name, spec));
  return { bundle: bundle.name, services: [initOf(bundle), ...daemons] };
}

/** Name of the init in the service manifest. */
export const INIT_NAME = 'bottled';

const CONFIG_PURPOSE = 'Configuration, with what the operator approved.';

function serviceOf(name: string, spec: DaemonSpec): Service {
  const { healthcheck } = spec;
  return {
    name,
    purpose: spec.purpose,
    source: spec.source,
    install: spec.install,
    command: [...spec.entrypoint, ...spec.command].map(shellWord).join(' '),
    user: spec.user ?? '',
    paths: [
      ...spec.data.map(({ path, mode, backup, purpose }): ServicePath => {
        return { path, kind: 'data', backup, mode: modeText(mode), purpose };
      }),
      ...spec.config.map((path): ServicePath => {
        return { path, kind: 'config', backup: 'must-back-up', mode: '', purpose: CONFIG_PURPOSE };
      }),
    ],
    log: spec.log === '' ? `bottled logs ${name}` : spec.log,
    health: (healthcheck === undefined || healthcheck.disable ? undefined : probeText(healthcheck)) ?? '',
    environment: [...Object.keys(spec.environment), ...spec.pass_environment].sort(),
    secrets: spec.secrets.map(({ source }) => source),
  };
}

function initOf({ control }: Bundle): Service {
  const audit = control.audit?.path;
  return {
    name: INIT_NAME,
    purpose: 'The init: starts the daemons and answers for them.',
    source: 'init',
    install: 'npm ci',
    command: 'bottled run',
    user: '',
    paths:
      audit === undefined
        ? []
        : [
            {
              path: audit,
              kind: 'data',
              backup: 'must-back-up',
              mode: '0600',
              purpose: 'The audit trail of commands.',
            },
          ],
    log: 'bottled logs',
    health: 'bottled health',
    environment: [],
    secrets: [],
  };
}
