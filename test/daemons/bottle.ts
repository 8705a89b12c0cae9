import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type RunningInit, startInitOn } from '../run/init.ts';

/** The bundle of a bottle, as it is shipped. */
const BUNDLE = fileURLToPath(new URL('../../daemons/bundle.yaml', import.meta.url));

/** The daemons of a bottle that have a port, by the variable that says which. */
const PORTS = [
  'PIPELOCK_PORT',
  'PIPELOCK_HEALTH_PORT',
  'PIPELOCK_METRICS_PORT',
  'EGRESS_PORT',
  'EGRESS_METRICS_PORT',
  'GIT_GATE_HTTP_PORT',
  'GIT_GATE_GIT_PORT',
  'SUPERVISE_PORT',
  'SUPERVISE_METRICS_PORT',
  'MCP_BRIDGE_PORT',
  'MCP_BRIDGE_METRICS_PORT',
] as const;

export type PortVariable = (typeof PORTS)[number];

export interface BottleOptions {
  /** What routes.yaml, git-gate.yaml and pipelock.yaml hold; one that is not given is not there. polis-policy.yaml is, without a tool. */
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Folders of the data directory that are there before, by name: the user who owns them. */
  readonly dataOwners?: Readonly<Record<string, number>>;
  readonly args?: readonly string[];
  readonly asProcessOne?: boolean;
}

/** The bundle of a bottle under test, as bin/bottled runs it, on ports of its own. */
export interface Bottle extends RunningInit {
  readonly ports: Readonly<Record<PortVariable, number>>;
  /** The directory of the configuration files. */
  readonly config: string;
  /** The directory with one folder a daemon. */
  readonly data: string;
}

/** Starts daemons/bundle.yaml and waits until it is healthy; all of it is gone at the end of the test. */
export async function startBottle(t: TestContext, options: BottleOptions = {}): Promise<Bottle> {
  const directory = mkdtempSync(join(tmpdir(), 'bottle-'));
  const [config, data] = [join(directory, 'config'), join(directory, 'data')];
  mkdirSync(config);
  mkdirSync(data);
  for (const [name, uid] of Object.entries(options.dataOwners ?? {})) {
    mkdirSync(join(data, name));
    chownSync(join(data, name), uid, uid);
  }
  if (options.dataOwners !== undefined) chmodSync(directory, 0o755);
  for (const [name, text] of Object.entries({ 'polis-policy.yaml': NO_TOOLS, ...options.files }))
    writeFileSync(join(config, name), text);
  const ports = await freePorts();
  const env = {
    BOTTLED_CONFIG: config,
    BOTTLED_DATA: data,
    BOTTLED_READ_SOCKET: join(directory, 'read.sock'),
    LOG_FORMAT: 'text',
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
    ...options.env,
  };
  const { asProcessOne, args } = options;
  const init = startInitOn(t, BUNDLE, directory, {
    env,
    ...(asProcessOne === undefined ? {} : { asProcessOne }),
    ...(args === undefined ? {} : { args }),
  });
  await init.saw(/bottled +\| healthy: /);
  return { ...init, ports, config, data };
}

const NO_TOOLS =
  'apiVersion: polis.io/v1\nkind: Policy\nmetadata: { name: test }\nspec: { governance: { mode: blocking }, tools: [] }\n';

/** Ports that nobody listens on; all of them are held until all are known, so that they differ. */
async function freePorts(): Promise<Readonly<Record<PortVariable, number>>> {
  const held = await Promise.all(PORTS.map(hold));
  await Promise.all(held.map(({ release }) => release()));
  const [a, b, c, d, e, f, g, h, i, j, k] = held.map(({ port }) => port);
  return {
    PIPELOCK_PORT: a ?? 0,
    PIPELOCK_HEALTH_PORT: b ?? 0,
    PIPELOCK_METRICS_PORT: c ?? 0,
    EGRESS_PORT: d ?? 0,
    EGRESS_METRICS_PORT: e ?? 0,
    GIT_GATE_HTTP_PORT: f ?? 0,
    GIT_GATE_GIT_PORT: g ?? 0,
    SUPERVISE_PORT: h ?? 0,
    SUPERVISE_METRICS_PORT: i ?? 0,
    MCP_BRIDGE_PORT: j ?? 0,
    MCP_BRIDGE_METRICS_PORT: k ?? 0,
  };
}

function hold(): Promise<{ readonly port: number; release(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      resolve({ port, release: () => new Promise((released) => server.close(() => released())) });
    });
  });
}
