import { join } from 'node:path';
import { createLog } from '../log/log.ts';
import { serveMetrics } from '../metrics/server.ts';
import { createReporter } from '../reports/reporter.ts';
import { injectableHeaders } from '../routes/listing.ts';
import { watchDirectoryOf } from '../watch/watch-directory.ts';
import { openCertificateAuthority } from './certificate-authority.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import { watchCutoff, whileCutOff } from './cutoff.ts';
import { createFindings } from './findings.ts';
import { createHealth } from './health.ts';
import { defaultLimits } from './limits.ts';
import { createMetrics } from './metrics.ts';
import { openPolicy, type PolicyKeeper } from './policy.ts';
import { createProxy, type EgressProxy } from './proxy.ts';
import { publishCertificate } from './published-certificate.ts';
import { createSecretFiles } from './secret-files.ts';
import { readSettings, type Settings, scrubEnvironment } from './settings.ts';
import { createSupervision, type Supervision } from './supervision.ts';
import { createTrafficLog, createUnreadLog } from './traffic-log.ts';
import { throughPipelock } from './upstream.ts';
import { watchUpstream } from './upstream-health.ts';

/** Starting again may help. */
const FAILED = 1;
/** A setting is wrong: starting again will not help. */
const BAD_SETTINGS = 2;

/** How long requests under way may take to end after SIGTERM. */
const GRACE_MS = 5000;

const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program; stop it or give another port',
  EACCES: 'may not be taken by this user; give one from 1024 on',
  EADDRNOTAVAIL: 'belongs to an address that this machine does not have; correct EGRESS_LISTEN',
};

const log = createLog('egress');
let opening: Promise<PolicyKeeper> | undefined;
let policy: PolicyKeeper | undefined;
let proxy: EgressProxy | undefined;
let isStopping = false;

process.on('SIGHUP', reload);
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

const read = readSettings(process.env);
scrubEnvironment(process.env);
if (!read.ok) leave(read.problems);
const { credentials, problems } = await readCredentials(read.settings.given, read.settings.credentialsDirectory);
if (problems.length > 0) leave(problems);
await run(read.settings, credentials);

async function run(settings: Settings, credentials: Credentials): Promise<void> {
  const ca = await openCertificateAuthority(join(settings.dataDirectory, 'ca'));
  const { certificate: caPem, certificateFile: file, fingerprint } = ca;
  if (settings.certificateDirectory !== undefined) await publishCertificate(settings.certificateDirectory, caPem);
  const message = `egress: the certificate to trust is ${file}, SHA-256 ${fingerprint}`;
  log('info', message, { event: 'egress_authority', file, sha256: fingerprint });

  const begun = () => proxy?.endConnections();
  const { isOn: isCutOff } = watchCutoff({ file: join(settings.dataDirectory, 'cutoff'), begun, log });
  const metrics = createMetrics({
    routes: () => policy?.current().routes.routes.length ?? 0,
    connections: () => proxy?.figures().connections ?? 0,
    tunnels: () => (proxy?.figures().tunnels ?? 0) + (proxy?.figures().webSockets ?? 0),
    lastReload_ms: () => policy?.taken_ms() ?? 0,
  });
  const found = createFindings(log, metrics);
  const { publish, pass } = createSecretFiles(settings);
  const reloaded = metrics.countReload;
  const supervision = supervisionOf(settings, pass);
  opening = openPolicy(
    { ...settings, caPem, found, supervision, publish, reloaded, log, clock: Date.now },
    credentials,
  );
  watchDirectoryOf(settings.routesFile, reload);
  const keeper = await opening;
  policy = keeper;

  const upstream = await watchUpstream(settings.upstream, log);
  const health = createHealth({ policy: keeper, upstream, isCutOff, fingerprint, clock: Date.now });
  const traffic = { log, level: () => keeper.current().routes.log, mask: keeper.mask } as const;
  const logTraffic = createTrafficLog({
    ...traffic,
    secretHeaders: () => new Set(injectableHeaders(keeper.current().routes)),
  });
  proxy = createProxy({
    judge: () => (isCutOff() ? whileCutOff(keeper.current().judge) : keeper.current().judge),
    ca,
    upstream: throughPipelock(settings.upstream.href),
    limits: defaultLimits,
    reportUnread: createUnreadLog(traffic),
    report(exchange) {
      metrics.countExchange(exchange);
      logTraffic(exchange);
    },
    own: ({ target }) => (target.split('?', 1)[0] === '/__health' ? health() : undefined),
  });
  const { metricsPort, listen, port } = settings;
  const metricsAt = await orSayWhy('EGRESS_METRICS_PORT', metricsPort, serveMetrics(metricsPort, metrics.render));
  const at = await orSayWhy('EGRESS_PORT', port, proxy.listen(listen, port));
  const where = `egress: ready on port ${at.port} of ${listen}, by way of pipelock at ${settings.upstream.host}`;
  log('info', where, { event: 'egress_ready', listen, port: at.port, metrics_port: metricsAt.port });
}

function supervisionOf(
  { reports: places, hold_ms }: Settings,
  passing: (credential: string) => Promise<void>,
): Supervision | undefined {
  if (places === undefined) return undefined;
  const reporter = createReporter({ source: 'egress', places, clock: Date.now });
  return createSupervision({ reporter, hold_ms, passing, log });
}

/** A change that comes while the first policy is read is read after it. */
function reload(): void {
  void opening?.then((keeper) => keeper.reload());
}

/** What a server says once it listens, or one line that tells why it cannot. */
async function orSayWhy<T>(setting: string, port: number, listening: Promise<T>): Promise<T> {
  try {
    return await listening;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const cause = CAUSES[code] ?? `cannot be listened on (${code})`;
    const problem = `${setting}: port ${port} ${cause}`;
    log('error', `egress: ${problem}`, { event: 'egress_problem', problem });
    process.exit(FAILED);
  }
}

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  log('info', 'egress: stopping; requests under way may end', { event: 'egress_stopping' });
  await proxy?.close(GRACE_MS);
  process.exit(0);
}

function leave(problems: readonly string[]): never {
  for (const problem of problems) log('error', `egress: ${problem}`, { event: 'egress_problem', problem });
  process.exit(BAD_SETTINGS);
}

/** An error that nobody expected. Its text may hold what it was about, so secrets are taken out of it. */
function fail(error: unknown): never {
  const text = error instanceof Error ? error.message : String(error);
  const reason = policy === undefined ? text : policy.mask(text);
  log('error', `egress: ${reason}; egress ends here and the init starts it again`, { event: 'egress_failed', reason });
  process.exit(FAILED);
}
