import { formatProblem } from '../../config/problem.ts';
import type { NamedSecret } from '../known-secrets/forms.ts';
import type { Log } from '../log/log.ts';
import { credentialNamesOf, hostsOf } from '../routes/listing.ts';
import { loadRoutes } from '../routes/load.ts';
import type { Routes } from '../routes/schema.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import { createIntrospection } from './introspection.ts';
import { createJudge, type SecretFound } from './judge.ts';
import { shownText } from './outbound.ts';
import { type Secrets, secretsOf } from './secrets.ts';
import type { Supervision } from './supervision.ts';
import type { Judge } from './verdict.ts';

/** Routes and credentials in force, and the judge made of them. Replaced as a whole, never changed. */
export interface Policy {
  readonly routes: Routes;
  readonly secrets: Secrets;
  readonly judge: Judge;
}

/** Keeps the policy that is in force. */
export interface PolicyKeeper {
  current(): Policy;
  /** Whether the last read could not be used. */
  hasProblem(): boolean;
  /** When routes and credentials were last taken over, in milliseconds since 1970; 0 where they never were. */
  taken_ms(): number;
  /** Stars over the secrets of this policy and of the one before, which requests under way may still carry. */
  mask(text: string): string;
  /** Reads routes and credentials again. What is bad in any of them leaves all as it was. Never rejects. */
  reload(): Promise<void>;
}

export interface PolicyOptions {
  readonly routesFile: string;
  readonly given: ReadonlyMap<string, string>;
  readonly credentialsDirectory: string | undefined;
  /** The certificate that agents trust, in PEM; introspection shows it. */
  readonly caPem: string;
  readonly found: (finding: SecretFound) => void;
  /** Undefined where nobody can be asked. */
  readonly supervision?: Supervision | undefined;
  /** Tells the daemons that scan what to look for. Where it rejects, the new credentials are not taken. */
  readonly publish: (secrets: readonly NamedSecret[]) => Promise<void>;
  readonly reloaded: (outcome: 'taken' | 'refused') => void;
  readonly log: Log;
  readonly clock: () => number;
}

const NO_ROUTES: Routes = { log: 0, routes: [] };

/**
 * Reads the first policy: routes that cannot be read are no routes, so that everything is refused until they can be.
 * Throws where the credentials are not published.
 */
export async function openPolicy(options: PolicyOptions, credentials: Credentials): Promise<PolicyKeeper> {
  const { log, publish, reloaded, clock } = options;
  let policy = policyOf(NO_ROUTES, credentials, options);
  let previous = policy;
  let hasProblem = false;
  let taken_ms = 0;
  let running: Promise<void> | undefined;
  let again = false;

  async function load(read: Credentials | undefined): Promise<void> {
    const loaded = await loadRoutes(options.routesFile);
    const secrets = read === undefined ? await readAgain() : { ok: true as const, credentials: read };
    const problems = [
      ...(loaded.ok ? [] : loaded.problems.map(formatProblem)),
      ...(secrets.ok ? [] : secrets.problems),
    ];
    if (!loaded.ok || !secrets.ok) return refuse(problems);
    const next = policyOf(loaded.routes, secrets.credentials, options);
    if (read === undefined) await publish(next.secrets.named);
    previous = policy;
    policy = next;
    hasProblem = false;
    taken_ms = clock();
    reloaded('taken');
    announce(log, next, secrets.credentials, [
      ...emptyWarning(options.routesFile, next),
      ...loaded.warnings.map(formatProblem),
    ]);
  }

  async function readAgain(): Promise<
    { ok: true; credentials: Credentials } | { ok: false; problems: readonly string[] }
  > {
    const read = await readCredentials(options.given, options.credentialsDirectory);
    return read.problems.length === 0
      ? { ok: true, credentials: read.credentials }
      : { ok: false, problems: read.problems };
  }

  function refuse(problems: readonly string[]): void {
    hasProblem = true;
    reloaded('refused');
    for (const line of problems) log('error', `egress: ${line}`, { event: 'egress_problem', problem: line });
    const count = policy.routes.routes.length;
    const rest =
      taken_ms === 0
        ? 'no route is in force and every request is refused'
        : `the ${count} route(s) and the credentials of before stay in force`;
    const message = `egress: ${rest}; correct the file, it is read again when it changes`;
    log('error', message, { event: 'egress_kept', problems: problems.length, routes: count });
  }

  function reload(): Promise<void> {
    again = running !== undefined;
    running ??= reloadUntilQuiet().finally(() => {
      running = undefined;
    });
    return running;
  }

  /** A change that comes during a read may not be in it. */
  async function reloadUntilQuiet(): Promise<void> {
    do {
      again = false;
      try {
        await load(undefined);
      } catch (error) {
        refuse([error instanceof Error ? error.message : String(error)]);
      }
    } while (again);
  }

  await publish(policy.secrets.named);
  await load(credentials);
  return {
    current: () => policy,
    hasProblem: () => hasProblem,
    taken_ms: () => taken_ms,
    mask: (text) => shownText(policy.secrets, shownText(previous.secrets, text)),
    reload,
  };
}

function policyOf(routes: Routes, credentials: Credentials, { caPem, found, supervision }: PolicyOptions): Policy {
  const introspect = createIntrospection({ routes, caPem });
  const secrets = secretsOf(credentials);
  const { tokens } = credentials;
  return { routes, secrets, judge: createJudge({ routes, tokens, secrets, introspect, supervision, found }) };
}

const LEVELS = ['off', 'blocks', 'full'] as const;

/** Hosts that the line about loaded routes names. */
const MOST_HOSTS = 50;

function emptyWarning(file: string, { routes }: Policy): readonly string[] {
  return routes.routes.length > 0 ? [] : [`${file} allows nothing, so every request is refused; write routes into it`];
}

function announce(log: Log, { routes, secrets }: Policy, { tokens }: Credentials, warnings: readonly string[]): void {
  const hosts = hostsOf(routes);
  const more = hosts.length > MOST_HOSTS ? ` and ${hosts.length - MOST_HOSTS} more` : '';
  const names = hosts.slice(0, MOST_HOSTS).join(', ');
  const count = routes.routes.length;
  const list = count === 0 ? ' every request is refused' : ` ${names}${more}`;
  log('info', `egress: loaded ${count} route(s):${list} [log=${LEVELS[routes.log]}]`, {
    event: 'egress_loaded',
    routes: count,
    hosts,
    log: LEVELS[routes.log],
  });
  const needed = credentialNamesOf(routes);
  const lines = [
    ...warnings,
    ...needed.filter((name) => !tokens.has(name)).map((name) => `${name} is not set; requests of its routes get a 502`),
    ...[...tokens.keys()].filter((name) => !needed.includes(name)).map((name) => `${name} is not used by any route`),
    ...secrets.tooShort.map((name) => `${name} is too short to be recognised in what goes out; take a longer one`),
  ];
  for (const line of lines) log('warn', `egress: ${line}`, { event: 'egress_warning', warning: line });
}
