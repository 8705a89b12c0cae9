import { describeByteSize } from '../config/byte-size.ts';
import type { BundleStatus, DaemonStatus } from '../init/status.ts';
import { createClient } from './client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { paint, print, shown, table } from './output.ts';
import { percent, span } from './quantity.ts';
import { readStatus, requireKnown } from './read.ts';
import type { Arguments } from './verb.ts';
import type { Verbs } from './verbs.ts';

export async function status({ values, names }: Arguments<Verbs['status']>): Promise<ExitCode> {
  const whole = await readStatus(createClient(values.socket));
  requireKnown(
    names,
    whole.daemons.map(({ name }) => name),
  );
  const chosen = { ...whole, daemons: whole.daemons.filter(({ name }) => names.length === 0 || names.includes(name)) };
  if (values.json) await print(`${JSON.stringify(chosen)}\n`);
  else if (values.quiet) await print(chosen.daemons.map(({ name }) => `${name}\n`).join(''));
  else await print(statusText(chosen));
  return EXIT.ok;
}

const HEAD = ['NAME', 'STATE', 'READY', 'PID', 'RESTARTS', 'FOR', 'CPU', 'MEMORY', 'NOTE'];

const HEALTH_STYLES = { starting: 'yellow', healthy: 'green', degraded: 'yellow', unhealthy: 'red' } as const;

const STATE_STYLES: Readonly<Record<string, 'green' | 'yellow' | 'red' | 'gray'>> = {
  running: 'green',
  completed: 'green',
  pending: 'yellow',
  starting: 'yellow',
  stopping: 'yellow',
  backoff: 'red',
  failed: 'red',
  stopped: 'gray',
};

function statusText({ bundle, daemons }: BundleStatus): string {
  const health = paint(HEALTH_STYLES[bundle.health], bundle.health);
  const ending = bundle.ending === null ? '' : `, ending: ${shown(bundle.ending)}`;
  const head = `${bundle.name}: ${health}, up ${span(bundle.uptime_ms)}, pid ${bundle.pid}, bottled ${bundle.version}${ending}\n`;
  return (
    head +
    table(HEAD, daemons.map(row), (text, column) => (column === 1 ? paint(STATE_STYLES[text] ?? 'gray', text) : text))
  );
}

function row(daemon: DaemonStatus): string[] {
  return [
    daemon.name,
    daemon.state,
    daemon.ready ? 'yes' : 'no',
    daemon.pid === null ? '-' : String(daemon.pid),
    String(daemon.restarts),
    span(daemon.state_for_ms),
    daemon.cpu === null ? '-' : percent(daemon.cpu),
    daemon.memory_bytes === null ? '-' : describeByteSize(daemon.memory_bytes),
    note(daemon),
  ];
}

/** Why it is as it is: the last failure while it is not ready, what it waits for, what to do, and what it remarks itself. */
function note({ ready, state, cause, detail, hint, waiting_for, remark }: DaemonStatus): string {
  const troubled = !ready && state !== 'completed' && state !== 'stopped' && cause !== null;
  const parts = [
    troubled ? `${cause}: ${detail ?? ''}` : null,
    waiting_for === null ? null : `waits for ${waiting_for}`,
    troubled ? hint : null,
    remark,
  ];
  return shown(parts.filter((part) => part !== null).join('; '));
}
