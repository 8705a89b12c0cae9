import { readFileSync } from 'node:fs';
import type { Bundle, DaemonSpec } from '../../init/bundle/schema.ts';
import type { BundleStatus } from '../../init/status.ts';
import { type DeclaredPort, type Listener, parseListeners } from '../ports.ts';

/** The listening sockets of the network namespace of a process. */
export function lookAtListeners(pid: number): readonly Listener[] {
  return ['tcp', 'tcp6'].flatMap((table) => parseListeners(read(`/proc/${pid}/net/${table}`)));
}

/** Paths of the unix sockets that somebody has bound. */
export function lookAtUnixSockets(pid: number): ReadonlySet<string> {
  const lines = read(`/proc/${pid}/net/unix`).split('\n').slice(1);
  return new Set(lines.map((line) => line.trim().split(/\s+/).slice(7).join(' ')).filter((path) => path !== ''));
}

/**
 * The ports of a bundle: those that its probes ask, those in variables of a daemon that begin with its name (`EGRESS_PORT`,
 * `PIPELOCK_METRICS_LISTEN`), and that of the control API.
 */
export function declaredPorts(
  { daemons, control }: Bundle,
  { bundle, daemons: running }: BundleStatus,
): readonly DeclaredPort[] {
  const pidOf = (name: string): number | null => running.find((daemon) => daemon.name === name)?.pid ?? null;
  const ports = Object.entries(daemons).flatMap(([daemon, spec]) =>
    [...new Set([...probed(spec), ...inVariables(daemon, spec)])].map((port) => ({ daemon, port, pid: pidOf(daemon) })),
  );
  const api = portAtEnd(control.listen ?? '');
  return api === undefined ? ports : [...ports, { daemon: 'bottled', port: api, pid: bundle.pid }];
}

function probed({ healthcheck }: DaemonSpec): readonly number[] {
  if (healthcheck === undefined || healthcheck.disable) return [];
  return [healthcheck.http?.port, healthcheck.tcp?.port].filter((port) => port !== undefined);
}

function inVariables(daemon: string, { environment }: DaemonSpec): readonly number[] {
  const prefix = `${daemon.toUpperCase().replaceAll('-', '_')}_`;
  return Object.entries(environment).flatMap(([name, value]) => {
    if (!name.startsWith(prefix) || value === null) return [];
    if (/_PORT$/.test(name)) return portAtEnd(`:${value}`) ?? [];
    return /_LISTEN$/.test(name) ? (portAtEnd(value) ?? []) : [];
  });
}

function portAtEnd(text: string): number | undefined {
  const port = Number(/:(\d{1,5})$/.exec(text)?.[1] ?? 0);
  return port > 0 ? port : undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
