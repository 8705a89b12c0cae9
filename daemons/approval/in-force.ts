import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { parseConfig } from '../../config/load.ts';
import { generate } from '../pipelock/generator.ts';
import { type Settings, settingsSchema } from '../pipelock/settings.ts';
import { hostsOf, injectableHeaders, routesToValue } from '../routes/listing.ts';
import { parseRoutes } from '../routes/load.ts';
import type { InForce } from './apply.ts';
import type { TargetName } from './kinds.ts';

/** Where what is in force can be seen. */
export interface Surroundings {
  /** The port on which the agent's proxy listens on this machine. */
  readonly egressPort: number;
  readonly pipelockHealthPort: number;
  /** The file that pipelock's engine reads. */
  readonly pipelockGenerated: string;
  /** What a configuration file of the bottle holds; undefined where it is not there. */
  readonly read: (file: TargetName) => string | undefined;
  /** The lines that a daemon has logged since `since` (RFC 3339). */
  readonly logged: (daemon: string, since: string) => Promise<readonly string[]>;
  /** How long a daemon may take. */
  readonly deadline_ms: number;
}

/** One look: what was seen, or why it is not in force yet; `never`: waiting does not help. */
type Look = InForce & { readonly never?: boolean };

const LOOK_EVERY_MS = 50;
const ANSWER_MS = 2_000;
const MOST_ANSWER_BYTES = 8 * 1024 * 1024;

/** The host by which egress tells of itself (docs/egress.md). */
const INTROSPECTION = 'http://egress.internal/routes';

/** Waits until `daemon` goes by `text`. `since`: when it was told to read again, RFC 3339. Never rejects. */
export async function waitInForce(
  surroundings: Surroundings,
  daemon: string,
  file: TargetName,
  text: string | undefined,
  since: string,
): Promise<InForce> {
  const deadline = performance.now() + surroundings.deadline_ms;
  for (;;) {
    const found = await look(surroundings, daemon, file, text, since).catch(
      (error: unknown): Look => ({ ok: false, reason: error instanceof Error ? error.message : String(error) }),
    );
    if (found.ok) return found;
    if (found.never === true || performance.now() > deadline)
      return { ok: false, reason: `${daemon}: ${found.reason}` };
    await pause(LOOK_EVERY_MS);
  }
}

function look(
  surroundings: Surroundings,
  daemon: string,
  file: TargetName,
  text: string | undefined,
  since: string,
): Promise<Look> {
  switch (daemon) {
    case 'egress':
      return lookAtEgress(surroundings, text);
    case 'pipelock':
      return lookAtPipelock(surroundings, file, text);
    default:
      return lookAtGate(surroundings, daemon, since);
  }
}

async function lookAtEgress({ egressPort }: Surroundings, text: string | undefined): Promise<Look> {
  const wanted = await parseRoutes('routes.yaml', text ?? '');
  if (!wanted.ok)
    return { ok: false, reason: 'these routes are not valid, so that it goes on with others', never: true };
  const headers = { host: 'egress.internal', accept: 'application/json' };
  const answer = await fetchText({ port: egressPort, path: INTROSPECTION, headers });
  const value: unknown = JSON.parse(JSON.stringify(routesToValue(wanted.routes)));
  if (!isDeepStrictEqual(parseJson(answer.text), value)) return { ok: false, reason: 'it goes by other routes' };
  return { ok: true, seen: `egress goes by ${count(wanted.routes.routes.length, 'route')}` };
}

async function lookAtPipelock(surroundings: Surroundings, file: TargetName, text: string | undefined): Promise<Look> {
  const textOf = (name: TargetName): string | undefined => (name === file ? text : surroundings.read(name));
  const routes = await parseRoutes('routes.yaml', textOf('routes.yaml') ?? '');
  const settings = await parseConfig('pipelock.yaml', textOf('pipelock.yaml') ?? '{}\n', settingsSchema);
  if (!routes.ok || !settings.ok) {
    return {
      ok: false,
      reason: `${routes.ok ? 'pipelock.yaml' : 'routes.yaml'} is not valid, so that it goes on with what was before`,
      never: true,
    };
  }
  const policy = { hosts: hostsOf(routes.routes), injectedHeaders: injectableHeaders(routes.routes) };
  const generated: unknown = parse(readFileSync(surroundings.pipelockGenerated, 'utf8'));
  const hosts = allowedHosts(policy, settings.value);
  if (!isDeepStrictEqual(memberOf(generated, 'api_allowlist'), hosts)) {
    return { ok: false, reason: 'its generated configuration names other hosts' };
  }
  const answer = await fetchText({ port: surroundings.pipelockHealthPort, path: '/health', headers: {} });
  if (memberOf(parseJson(answer.text), 'status') !== 'healthy') return { ok: false, reason: 'it is not healthy' };
  return { ok: true, seen: `pipelock lets through ${count(hosts.length, 'host')} and is healthy` };
}

const NOWHERE = { host: '127.0.0.1', port: 0 };

function allowedHosts(policy: Parameters<typeof generate>[0], settings: Settings): readonly string[] {
  return generate(policy, settings, { proxy: NOWHERE, metrics: NOWHERE }).api_allowlist;
}

/** git-gate tells in its log what it has taken over. */
async function lookAtGate({ logged }: Surroundings, daemon: string, since: string): Promise<Look> {
  const lines = await logged(daemon, since);
  const last = lines.filter((line) => /git-gate\.yaml is (in force|not taken over)/.test(line)).at(-1);
  if (last === undefined) return { ok: false, reason: 'it has not said that it read git-gate.yaml' };
  if (last.includes('not taken over')) return { ok: false, reason: 'it did not take git-gate.yaml over; see its log' };
  return { ok: true, seen: 'git-gate has taken it over' };
}

interface Question {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

function fetchText({ port, path, headers }: Question): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asked = get({ host: '127.0.0.1', port, path, headers, agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
        if (text.length > MOST_ANSWER_BYTES) asked.destroy(new Error('its answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on('error', (error) => reject(new Error(`it does not answer on port ${port}: ${error.message}`)));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
