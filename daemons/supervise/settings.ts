import { join } from 'node:path';
import { parseByteSize } from '../../config/byte-size.ts';
import { parseDuration } from '../../config/duration.ts';
import { type Problem, problemOf } from '../../config/problem.ts';
import { isSource } from '../reports/report.ts';
import type { Limits } from './queue/limits.ts';
import type { ReportSource } from './reports/spool.ts';

/** What the environment says. Times in milliseconds, sizes in bytes. */
export interface Settings {
  readonly listen: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** On 127.0.0.1; 0 takes any free port. */
  readonly metricsPort: number;
  /** The log, the decisions and the operator's socket are here. Absolute. */
  readonly data: string;
  /** routes.yaml, pipelock.yaml and the Dockerfile. Absolute; only read. */
  readonly config: string;
  readonly socket: string;
  /** The proxy port of egress. */
  readonly egress: URL;
  readonly wait_ms: number;
  readonly limits: Limits;
  /** Names under which the agent may ask. */
  readonly hosts: readonly string[];
  /** Files with fingerprints of the credentials that the bundle holds. */
  readonly knownSecrets: readonly string[];
  readonly reports: readonly ReportSource[];
  /** The init's socket for reading, whose incidents are taken in; undefined where there is none. */
  readonly initSocket: string | undefined;
  /** A file of the log that is larger is followed by a new one. */
  readonly logBytes: number;
  /** The model that is asked for second opinions; undefined where none is. */
  readonly opinion: { readonly url: URL; readonly model: string; readonly deadline_ms: number } | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

const MINUTE = 60_000;
const LONGEST_WAIT = 10 * MINUTE;

/** Reads the settings out of the environment: all, or every fault. An empty variable counts as one that is not there. */
export function readSettings(
  variables: Variables,
): { readonly ok: true; readonly settings: Settings } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];

  /** The value of a variable, or `otherwise` where it is not there or `read` does not take it. */
  function value<T>(name: string, otherwise: T, read: (text: string) => T | undefined, what: string): T {
    const text = variables[name] ?? '';
    if (text === '') return otherwise;
    const found = read(text);
    if (found === undefined) problems.push(problemOf(name, `${JSON.stringify(text)} ${what}`));
    return found ?? otherwise;
  }

  function directory(name: string): string {
    if ((variables[name] ?? '') === '') problems.push(problemOf(name, 'is not set'));
    return value(name, '', absolute, NOT_ABSOLUTE);
  }

  function opinionModel(): Settings['opinion'] {
    const url = value('SUPERVISE_OPINION_URL', undefined, api, 'is not the URL of an API; write http://host:port/v1');
    const deadline_ms = value('SUPERVISE_OPINION_DEADLINE', 2 * MINUTE, deadline, 'is not a duration from 1s to 10m');
    if (url === undefined) return undefined;
    const model = value('SUPERVISE_OPINION_MODEL', '', modelName, 'is not the name of a model');
    if ((variables.SUPERVISE_OPINION_MODEL ?? '') === '') {
      problems.push(problemOf('SUPERVISE_OPINION_MODEL', 'is not set, and SUPERVISE_OPINION_URL is'));
    }
    return { url, model, deadline_ms };
  }

  const data = directory('SUPERVISE_DATA');
  const settings: Settings = {
    listen: variables.SUPERVISE_LISTEN || '::',
    port: value('SUPERVISE_PORT', 9100, port, NOT_A_PORT),
    metricsPort: value('SUPERVISE_METRICS_PORT', 9101, port, NOT_A_PORT),
    data,
    config: directory('SUPERVISE_CONFIG'),
    socket: value('SUPERVISE_SOCKET', join(data, 'operator.sock'), absolute, NOT_ABSOLUTE),
    egress: value(
      'SUPERVISE_EGRESS',
      new URL('http://127.0.0.1:9099'),
      proxy,
      'is not a proxy; write http://host:port',
    ),
    wait_ms: value('SUPERVISE_WAIT', 30_000, wait, 'is not a duration from 0 to 10m, e.g. "30s"'),
    limits: {
      expiry_ms: value('SUPERVISE_EXPIRY', 24 * 60 * MINUTE, positiveDuration, 'is not a duration, e.g. "24h"'),
      mostPending: value('SUPERVISE_MOST_PENDING', 50, count, NOT_A_COUNT),
      mostPerMinute: value('SUPERVISE_MOST_PER_MINUTE', 10, count, NOT_A_COUNT),
    },
    hosts: [...OWN_HOSTS, ...value('SUPERVISE_HOSTS', [], hostNames, 'is not a list of names, without ports')],
    knownSecrets: (variables.SUPERVISE_KNOWN_SECRETS ?? '').split(',').filter((file) => file !== ''),
    reports: value('SUPERVISE_REPORTS', [], reportSources, NOT_REPORTS),
    initSocket: value('SUPERVISE_INIT_SOCKET', '', absolute, NOT_ABSOLUTE) || undefined,
    logBytes: value('SUPERVISE_LOG_SIZE', 64 * 1024 * 1024, logSize, 'is not a size of at least 64kb, e.g. "64mb"'),
    opinion: opinionModel(),
  };
  return problems.length > 0 ? { ok: false, problems } : { ok: true, settings };
}

/** Under these the agent reaches it as a rule: its name in the bottle's network, and this machine. */
const OWN_HOSTS = ['supervise', 'localhost', '127.0.0.1', '[::1]'] as const;

const NOT_ABSOLUTE = 'is not an absolute path';
const NOT_A_PORT = 'is not a port';
const NOT_A_COUNT = 'is not a whole number from 1 to 1000';
const NOT_REPORTS =
  'is not a list such as "git-gate=/var/lib/bottled/reports/git-gate,egress=…", with git-gate, egress or mcp-bridge, each once, and an absolute path';

function absolute(text: string): string | undefined {
  return text.startsWith('/') ? text : undefined;
}

function port(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

function count(text: string): number | undefined {
  return /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 1000 ? Number(text) : undefined;
}

function wait(text: string): number | undefined {
  const time = parseDuration(text);
  return time !== undefined && time <= LONGEST_WAIT ? time : undefined;
}

function positiveDuration(text: string): number | undefined {
  const time = parseDuration(text);
  return time !== undefined && time > 0 ? time : undefined;
}

function logSize(text: string): number | undefined {
  const bytes = parseByteSize(text);
  return bytes !== undefined && bytes >= 64 * 1024 ? bytes : undefined;
}

function proxy(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.protocol === 'http:' && url.pathname === '/' && url.search === '' && url.username === '';
  return isPlain ? url : undefined;
}

function api(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  return isHttp && url.search === '' && url.username === '' && url.password === '' ? url : undefined;
}

function deadline(text: string): number | undefined {
  const time = parseDuration(text);
  return time !== undefined && time >= 1_000 && time <= LONGEST_WAIT ? time : undefined;
}

function modelName(text: string): string | undefined {
  return /^[\w./:@-]{1,200}$/.test(text) ? text : undefined;
}

function hostNames(text: string): readonly string[] | undefined {
  const names = text.split(',').map((name) => name.trim().toLowerCase());
  return names.every((name) => /^([a-z0-9._-]+|\[[0-9a-f:.]+\])$/.test(name)) ? names : undefined;
}

function reportSources(text: string): readonly ReportSource[] | undefined {
  const sources = text.split(',').map((entry): ReportSource | undefined => {
    const [, source, directory] = /^([a-z][a-z0-9-]{0,39})=(\/.+)$/.exec(entry.trim()) ?? [];
    return source === undefined || directory === undefined || !isSource(source) ? undefined : { source, directory };
  });
  const found = sources.filter((source) => source !== undefined);
  const isEach = found.length === sources.length && new Set(found.map(({ source }) => source)).size === found.length;
  return isEach ? found : undefined;
}
