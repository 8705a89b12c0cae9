import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../contenders/contender.ts';
import { freePort, type RunningServer, startServer } from '../server.ts';
import { type ProxyContender, type ProxyPlace, runningProxy } from './proxy.ts';
import { writeRoutes } from './routes.ts';

const DIST = join(import.meta.dirname, '../../dist');
const DAEMONS = ['egress.mjs', 'pipelock.mjs'];

/** daemons/bundle.yaml starts both with it. */
const AS_IN_THE_BUNDLE = '--max-semi-space-size=8';

/** The egress daemon without pipelock behind it: an entry of the benchmark, since the product has no such way out. */
export const egress: ProxyContender = {
  name: 'egress',
  role: 'ours',
  absent: () => undefined,
  async start(place) {
    const { directory, origin } = place;
    const { file, credentials } = writeRoutes(place);
    const port = await freePort();
    const program = join(import.meta.dirname, '../processes/egress.ts');
    const command = [
      process.execPath,
      AS_IN_THE_BUNDLE,
      program,
      String(port),
      file,
      join(directory, 'ca'),
      origin.certificateFile,
    ];
    return runningProxy([await startServer({ name: 'egress', command, port, directory, environment: credentials })]);
  },
};

/** The whole chain as the bundle runs it, with the stand-in in pipelock's place. */
export const egressStandIn: ProxyContender = {
  name: 'egress + stand-in',
  role: 'ours',
  only: ['proxy', 'sse'],
  absent: notBuilt,
  start: (place) => chain(place, 'embedded'),
};

/** The whole chain with the real pipelock. */
export const egressPipelock: ProxyContender = {
  name: 'egress + pipelock',
  role: 'ours',
  only: ['proxy', 'sse'],
  absent: () => (findProgram('pipelock') === undefined ? 'pipelock is not on the PATH' : notBuilt()),
  start: (place) => chain(place, 'pipelock'),
};

function notBuilt(): string | undefined {
  const missing = DAEMONS.find((file) => !existsSync(join(DIST, file)));
  return missing === undefined ? undefined : `dist/${missing} is not built (npm run build)`;
}

async function chain(place: ProxyPlace, engine: 'embedded' | 'pipelock') {
  const { directory, origin } = place;
  const { file, credentials } = writeRoutes(place);
  const pipelock = await startPipelock(directory, file, origin.certificateFile, engine);
  const port = await freePort();
  const environment = {
    ...credentials,
    EGRESS_LISTEN: '127.0.0.1',
    EGRESS_PORT: String(port),
    EGRESS_METRICS_PORT: '0',
    EGRESS_ROUTES: file,
    EGRESS_DATA: join(directory, 'egress'),
    EGRESS_UPSTREAM_PROXY: `http://127.0.0.1:${pipelock.port}`,
  };
  const command = [process.execPath, AS_IN_THE_BUNDLE, join(DIST, 'egress.mjs')];
  return runningProxy([await startServer({ name: 'egress', command, port, directory, environment }), pipelock]);
}

/** The origin is on this machine and is asked without end: pipelock has to be told that this is meant. */
const SETTINGS = `internal_hosts: [localhost]
ip_allowlist: [127.0.0.0/8, "::1/128"]
requests_per_minute: 1000000
`;

async function startPipelock(
  directory: string,
  routes: string,
  certificateFile: string,
  engine: string,
): Promise<RunningServer> {
  const settings = join(directory, 'pipelock.yaml');
  writeFileSync(settings, SETTINGS);
  const port = await freePort();
  const environment = {
    PIPELOCK_ENGINE: engine,
    PIPELOCK_LISTEN: `127.0.0.1:${port}`,
    PIPELOCK_METRICS_LISTEN: '127.0.0.1:0',
    PIPELOCK_HEALTH_PORT: '0',
    PIPELOCK_ROUTES: routes,
    PIPELOCK_SETTINGS: settings,
    PIPELOCK_DATA: join(directory, 'pipelock'),
    NODE_EXTRA_CA_CERTS: certificateFile,
    SSL_CERT_FILE: certificateFile,
  };
  const command = [process.execPath, AS_IN_THE_BUNDLE, join(DIST, 'pipelock.mjs')];
  return startServer({ name: 'pipelock', command, port, directory, environment });
}
