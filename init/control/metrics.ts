import { HEALTH_STATUSES } from '../../healthcheck/aggregate.ts';
import { STATUSES } from '../lifecycle/state.ts';
import type { BundleStatus, DaemonStatus, TokenStatus } from '../status.ts';
import type { Init } from './init.ts';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** One family of `/metrics`. */
export interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: (init: Init, status: BundleStatus) => readonly Sample[];
}

/** Every metric family, in the order of `/metrics` and of its reference. */
export const FAMILIES: readonly Family[] = [
  {
    name: 'bottled_build_info',
    type: 'gauge',
    help: 'Always 1; the version of bottled is a label.',
    labels: ['version'],
    samples: (_init, { bundle }) => [[{ version: bundle.version }, 1]],
  },
  {
    name: 'bottled_uptime_seconds',
    type: 'gauge',
    help: 'Time since the init started.',
    labels: [],
    samples: (_init, { bundle }) => [[{}, bundle.uptime_ms / 1000]],
  },
  {
    name: 'bottled_health',
    type: 'gauge',
    help: 'The health of the bundle: 1 for the status that it has, 0 for the others.',
    labels: ['status'],
    samples: (_init, { bundle }) =>
      HEALTH_STATUSES.map((status) => [{ status }, bundle.health === status ? 1 : 0] as const),
  },
  {
    name: 'bottled_commands_total',
    type: 'counter',
    help: 'Commands so far, by the control plane that they came by.',
    labels: ['plane'],
    samples: (_init, { control }) =>
      Object.entries(control.commands.by_plane).map(([plane, count]) => [{ plane }, count] as const),
  },
  {
    name: 'bottled_last_command_timestamp_seconds',
    type: 'gauge',
    help: 'When the last command came by this control plane, seconds since 1970; absent before the first.',
    labels: ['plane'],
    samples: (_init, { control }) =>
      Object.entries(control.commands.last_by_plane).flatMap(([plane, time]): Sample[] =>
        time === null ? [] : [[{ plane }, Date.parse(time) / 1000]],
      ),
  },
  {
    name: 'bottled_control_denied_total',
    type: 'counter',
    help: 'Requests to the control API that were not let in.',
    labels: ['reason'],
    samples: (_init, { control }) =>
      Object.entries(control.denied).map(([reason, count]) => [{ reason }, count] as const),
  },
  perToken(
    'bottled_control_token_known',
    'gauge',
    '1 where the source of the bearer token has answered; 0: nobody gets in by it.',
    ({ known }) => (known ? 1 : 0),
  ),
  perToken(
    'bottled_control_token_refresh_ok',
    'gauge',
    '1 where the last refresh of the bearer token went well; absent before the first.',
    ({ last_refresh_ok }) => (last_refresh_ok === null ? null : last_refresh_ok ? 1 : 0),
  ),
  perToken(
    'bottled_control_token_age_seconds',
    'gauge',
    'Time since the source of the bearer token last said what it is; absent before that.',
    ({ age_ms }) => (age_ms === null ? null : age_ms / 1000),
  ),
  perToken(
    'bottled_control_token_refresh_failures_total',
    'counter',
    'Refreshes of the bearer token that failed.',
    ({ refresh_failures }) => refresh_failures,
  ),
  perDaemon('bottled_daemon_up', 'gauge', '1 while a process of the daemon is alive.', ({ pid }) =>
    pid === null ? 0 : 1,
  ),
  perDaemon('bottled_daemon_ready', 'gauge', '1 while the daemon does its job.', ({ ready }) => (ready ? 1 : 0)),
  {
    name: 'bottled_daemon_state',
    type: 'gauge',
    help: 'The state of the daemon: 1 for the state that it has, 0 for the others.',
    labels: ['daemon', 'state'],
    samples: (_init, { daemons }) =>
      daemons.flatMap((daemon) =>
        STATUSES.map((state) => [{ daemon: daemon.name, state }, daemon.state === state ? 1 : 0] as const),
      ),
  },
  perDaemon(
    'bottled_daemon_state_seconds',
    'gauge',
    'How long the daemon has been in its state.',
    ({ state_for_ms }) => state_for_ms / 1000,
  ),
  perDaemon(
    'bottled_daemon_restarts_total',
    'counter',
    'Restarts of the daemon since the bundle started.',
    (daemon) => daemon.restarts,
  ),
  perDaemon(
    'bottled_daemon_fallback',
    'gauge',
    '1 while its fallback_command stands in for a command that cannot run here.',
    ({ fallback }) => (fallback ? 1 : 0),
  ),
  perDaemon(
    'bottled_daemon_exit_code',
    'gauge',
    'Code of the last end of the daemon, 128 + n after signal n; absent before the first.',
    (daemon) => daemon.exit_code,
  ),
  perDaemon(
    'bottled_daemon_memory_bytes',
    'gauge',
    'Resident memory over all processes of the daemon; absent where unknown.',
    (daemon) => daemon.memory_bytes,
  ),
  perDaemon(
    'bottled_daemon_cpu_ratio',
    'gauge',
    'Processor time of the daemon per wall time since the last look, 1 is one core; absent where unknown.',
    (daemon) => daemon.cpu,
  ),
  perDaemon(
    'bottled_daemon_log_bytes_total',
    'counter',
    'Bytes that the daemon has written to stdout and stderr.',
    (daemon, init) => init.logCounters(daemon.name).bytes,
  ),
  perDaemon(
    'bottled_daemon_log_lines_total',
    'counter',
    'Lines that the daemon has written to stdout and stderr.',
    (daemon, init) => init.logCounters(daemon.name).lines,
  ),
  perDaemon(
    'bottled_daemon_log_dropped_total',
    'counter',
    'Lines of the daemon that a slow reader of the log has lost.',
    (daemon, init) => init.logCounters(daemon.name).dropped,
  ),
];

/** The whole of `/metrics` in the Prometheus text format 0.0.4. */
export function metricsText(init: Init): string {
  const status = init.status();
  let text = '';
  for (const { name, type, help, samples } of FAMILIES) {
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const [labels, value] of samples(init, status)) text += `${name}${labelText(labels)} ${value}\n`;
  }
  return text;
}

function perDaemon(
  name: string,
  type: Family['type'],
  help: string,
  value: (daemon: DaemonStatus, init: Init) => number | null,
): Family {
  return {
    name,
    type,
    help,
    labels: ['daemon'],
    samples(init, { daemons }) {
      return daemons.flatMap((daemon): Sample[] => {
        const number = value(daemon, init);
        return number === null ? [] : [[{ daemon: daemon.name }, number]];
      });
    },
  };
}

function perToken(
  name: string,
  type: Family['type'],
  help: string,
  value: (token: TokenStatus) => number | null,
): Family {
  return {
    name,
    type,
    help,
    labels: ['token', 'source'],
    samples: (_init, { control }) =>
      control.tokens.flatMap((token): Sample[] => {
        const number = value(token);
        return number === null ? [] : [[{ token: token.name, source: token.source }, number]];
      }),
  };
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Backslash, quote and newline are escaped in a label value ("Text-based format", Prometheus). */
function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
