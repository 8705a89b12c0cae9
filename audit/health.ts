import type { BundleStatus, DaemonStatus } from '../init/status.ts';
import { drift, ok, type Row } from './row.ts';

/** The health of each daemon, and what is declared and does not run. `declared`: the daemons of the bundle file on disk. */
export function healthRows({ bundle, daemons }: BundleStatus, declared: readonly string[] | undefined): readonly Row[] {
  const whole =
    bundle.health === 'healthy'
      ? ok('health', 'bundle', 'healthy')
      : drift('health', 'bundle', bundle.health, 'see the daemons below; bottled status');
  const running = new Set(daemons.map(({ name }) => name));
  const absent = (declared ?? []).filter((name) => !running.has(name));
  return [
    whole,
    ...daemons.map(daemonRow),
    ...absent.map((name) => drift('health', name, 'declared, but the init does not know it', 'bottled reload')),
  ];
}

function daemonRow({ name, state, ready, detail, hint, remark }: DaemonStatus): Row {
  if (ready || state === 'completed')
    return ok('health', name, [state, ...(remark === null ? [] : [remark])].join('; '));
  if (state === 'stopped') return drift('health', name, 'stopped', `bottled start ${name}`);
  const found = detail === null ? `${state}, not ready` : `${state}, not ready: ${detail}`;
  return drift('health', name, found, hint ?? `bottled logs ${name}`);
}
