import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { digestOfFile } from '../../config/digest.ts';
import { readTextFile } from '../../config/files.ts';
import { formatProblem } from '../../config/problem.ts';
import { loadGateConfig } from '../../daemons/git-gate/config/load.ts';
import { generate, type Listeners } from '../../daemons/pipelock/generator.ts';
import { readRoutePolicy } from '../../daemons/pipelock/route-policy.ts';
import { DEFAULT_SETTINGS, loadSettings } from '../../daemons/pipelock/settings.ts';
import { routesToValue } from '../../daemons/routes/listing.ts';
import { loadRoutes } from '../../daemons/routes/load.ts';
import type { Bundle, DaemonSpec } from '../../init/bundle/schema.ts';
import type { ConfigurationFacts, OnDisk } from '../configuration.ts';
import { LOOK_AS_ROOT } from '../row.ts';
import { askJson, textIn } from './http.ts';

type Named = readonly [daemon: string, spec: DaemonSpec];

const SILENT: OnDisk = { kind: 'unknown', reason: 'the daemon does not answer, so nobody knows what is in force' };

/** The configuration files that daemons of a bottle read, each by the variable that names it. */
const LOOKS: readonly (readonly [variable: string, look: (file: string, spec: DaemonSpec) => Promise<OnDisk>])[] = [
  ['EGRESS_ROUTES', routesOfEgress],
  ['PIPELOCK_ROUTES', generatedOfPipelock],
  ['GIT_GATE_SETTINGS', ofGitGate],
  ['MCP_BRIDGE_POLICY', byDigest],
];

/** A daemon reads a changed file within about two seconds: what is not in force is looked at again so long, in ms. */
const SETTLE_MS = 3_000;
const AGAIN_MS = 200;

/** Every configuration file of the daemons on disk, and whether it is in force. */
export async function lookAtConfiguration({ daemons }: Bundle): Promise<readonly ConfigurationFacts[]> {
  const found = Object.entries(daemons).flatMap((named) =>
    LOOKS.map(([variable, look]) => factsOf(named, variable, look)),
  );
  return (await Promise.all(found)).flat();
}

async function factsOf(
  [daemon, spec]: Named,
  variable: string,
  look: (file: string, spec: DaemonSpec) => Promise<OnDisk>,
): Promise<readonly ConfigurationFacts[]> {
  const file = spec.environment[variable];
  if (!file) return [];
  const apply = `bottled signal HUP ${daemon}; bottled logs ${daemon} says why if it stays so`;
  return [{ file, daemon, onDisk: await settled(() => look(file, spec)), apply }];
}

async function settled(look: () => Promise<OnDisk>): Promise<OnDisk> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const seen = await look();
    const isMoving = seen.kind === 'other' || (seen.kind === 'valid' && !seen.isInForce);
    if (!isMoving || performance.now() > deadline) return seen;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** egress tells its routes to whoever asks for http://egress.internal/routes. */
async function routesOfEgress(file: string, { healthcheck }: DaemonSpec): Promise<OnDisk> {
  if (!existsSync(file)) return { kind: 'absent' };
  const loaded = await loadRoutes(file);
  if (!loaded.ok) return invalid(loaded.problems.map(formatProblem));
  if (healthcheck?.http === undefined) return SILENT;
  const { host, port } = healthcheck.http;
  const path = 'http://egress.internal/routes';
  const inForce = await askJson({ host, port, path, headers: { host: 'egress.internal', accept: 'application/json' } });
  if (inForce === undefined) return SILENT;
  return { kind: 'valid', isInForce: isDeepStrictEqual(inForce, asJson(routesToValue(loaded.routes))) };
}

/** The file that its engine reads is made of the routes of egress and pipelock's own settings. */
async function generatedOfPipelock(file: string, { environment }: DaemonSpec): Promise<OnDisk> {
  const { PIPELOCK_SETTINGS: settingsFile, PIPELOCK_DATA: data } = environment;
  const routes = await readRoutePolicy(file);
  if (!routes.ok) return existsSync(file) ? invalid(routes.problems) : { kind: 'absent' };
  const settings =
    settingsFile && existsSync(settingsFile)
      ? await loadSettings(settingsFile)
      : { ok: true as const, value: DEFAULT_SETTINGS };
  if (!settings.ok) return invalid(settings.problems.map(formatProblem));
  const generated = join(data ?? '', 'pipelock.yaml');
  const generatedText = readTextFile(generated);
  if (!generatedText.ok) return { kind: 'unknown', reason: `${generated} ${generatedText.reason}; ${LOOK_AS_ROOT}` };
  const wanted = asJson(generate(routes.policy, settings.value, listenersOf(environment)));
  return { kind: 'valid', isInForce: isDeepStrictEqual(parsed(generatedText.text), wanted) };
}

async function ofGitGate(file: string, spec: DaemonSpec): Promise<OnDisk> {
  if (!existsSync(file)) return { kind: 'absent' };
  const loaded = await loadGateConfig(file);
  return loaded.ok ? byDigest(file, spec) : invalid(loaded.problems.map(formatProblem));
}

/** The daemon tells the digest of the file that it goes by in the answer to its probe. */
async function byDigest(file: string, { healthcheck }: DaemonSpec): Promise<OnDisk> {
  const onDisk = digestOfFile(file);
  if (onDisk === undefined) return existsSync(file) ? invalid([`${file} cannot be read`]) : { kind: 'absent' };
  const health = healthcheck?.http === undefined ? undefined : await askJson(healthcheck.http);
  const inForce = textIn(health, 'config_sha256');
  if (inForce === undefined) return SILENT;
  return inForce === onDisk ? { kind: 'valid', isInForce: true } : { kind: 'other' };
}

function invalid(problems: readonly string[]): OnDisk {
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return { kind: 'invalid', problem: `${problems[0] ?? ''}${more}` };
}

function listenersOf({ PIPELOCK_LISTEN, PIPELOCK_METRICS_LISTEN }: DaemonSpec['environment']): Listeners {
  return {
    proxy: listenOf(PIPELOCK_LISTEN || '127.0.0.1:8888'),
    metrics: listenOf(PIPELOCK_METRICS_LISTEN || '127.0.0.1:9190'),
  };
}

function listenOf(text: string): Listeners['proxy'] {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

/** Undefined for what is no YAML. */
function parsed(yaml: string): unknown {
  try {
    return parse(yaml);
  } catch {
    return undefined;
  }
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
