import { formatDuration } from '../../config/duration.ts';
import { modeText } from './data.ts';
import { conditionWord, renderGraph, startLayers } from './graph.ts';
import type { Bundle, DaemonSpec, Healthcheck } from './schema.ts';

/** What a bundle will do, for a human: each daemon in start order, then the graph. Holds no value of a variable. */
export function planText(bundle: Bundle): string {
  const names = startLayers(bundle).flat();
  const count = `${names.length} daemon${names.length === 1 ? '' : 's'}`;
  const end = `exit code: ${bundle.exit_code}; stops within ${formatDuration(bundle.stop_grace_period)}`;
  const daemons = names.flatMap((name) => {
    const spec = bundle.daemons[name];
    return spec === undefined ? [] : [daemonText(name, spec), ''];
  });
  const signals = Object.entries(bundle.signals).map(([signal, action]) => `  ${signal}: ${actionText(action)}`);
  const onSignals = signals.length === 0 ? [] : ['signals', ...signals, ''];
  return [
    `${bundle.name}: ${count}; ${end}`,
    '',
    ...daemons,
    ...onSignals,
    `start order\n${indented(renderGraph(bundle, 'text'))}`,
  ].join('\n');
}

function daemonText(name: string, spec: DaemonSpec): string {
  const facts: [string, string][] = [
    ['runs', [...spec.entrypoint, ...spec.command].map(shellWord).join(' ')],
    ['or else', spec.fallback_command.map(shellWord).join(' ')],
    ['as', spec.user ?? ''],
    ['in', spec.working_dir ?? ''],
    [
      'waits for',
      Object.entries(spec.depends_on)
        .map(([need, on]) => `${need} (${conditionWord(on)})`)
        .join(', '),
    ],
    ['ready', readyText(spec)],
    ['restart', restartText(spec)],
    ['stop', `${spec.stop_signal}, after ${formatDuration(spec.stop_grace_period)} SIGKILL`],
    ['data', spec.data.map(({ path, mode, backup }) => `${path} (${modeText(mode)}, ${backup})`).join(', ')],
    ['secrets', spec.secrets.map((use) => use.source).join(', ')],
  ];
  const lines = facts.filter(([, fact]) => fact !== '').map(([label, fact]) => `  ${label.padEnd(10)} ${fact}`);
  return [`${name}${spec.essential ? ' (essential)' : ''}`, ...lines].join('\n');
}

function readyText({ ready, healthcheck, start_timeout }: DaemonSpec): string {
  const limit = start_timeout === undefined ? '' : `, within ${formatDuration(start_timeout)}`;
  return `${readySign(ready, healthcheck)}${limit}`;
}

function readySign(ready: DaemonSpec['ready'], check: Healthcheck | undefined): string {
  if (ready?.notify_fd !== undefined) return `when it writes to fd ${ready.notify_fd}`;
  if (ready?.sd_notify !== undefined) return 'when it sends READY=1';
  if (ready?.log !== undefined) return `when a line of its output matches /${ready.log}/`;
  if (ready?.after !== undefined) return `when it has run ${formatDuration(ready.after)}`;
  const probe = check === undefined || check.disable ? undefined : probeText(check);
  return probe === undefined
    ? 'when it has run 1s'
    : `when ${probe} passes, tried every ${formatDuration(check?.start_interval ?? 0)}`;
}

/** What a probe asks, for a human; undefined where there is none. */
export function probeText({ test, http, tcp, unix }: Healthcheck): string | undefined {
  if (http !== undefined) return `${http.scheme}://${http.host}:${http.port}${http.path}`;
  if (tcp !== undefined) return `tcp ${tcp.host}:${tcp.port}`;
  if (unix !== undefined) return `unix ${unix.path}`;
  return test === undefined || test[0] === 'NONE' ? undefined : test.slice(1).map(shellWord).join(' ');
}

function restartText({ restart, backoff }: DaemonSpec): string {
  if (restart === 'no') return 'no';
  const times = backoff.max_attempts === 'unlimited' ? 'without limit' : `at most ${backoff.max_attempts} in a row`;
  const first = backoff.at_once ? 'at once, then ' : 'after ';
  const waits = `${first}${formatDuration(backoff.initial)} × ${backoff.factor}ⁿ up to ${formatDuration(backoff.max)}`;
  return `${restart}: ${waits}, ${times}`;
}

function actionText({ signal, restart }: Bundle['signals'][keyof Bundle['signals']] & object): string {
  if (signal !== undefined) return signal.length === 0 ? 'ignored' : `sent to ${signal.join(', ')}`;
  if (restart !== undefined) return restart.length === 0 ? 'ignored' : `restarts ${restart.join(', ')}`;
  return 'reads the bundle file anew';
}

/** A word as one would type it to a shell. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
