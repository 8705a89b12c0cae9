import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { execa } from 'execa';
import { until } from '../container/container.ts';
import { docker } from '../container/engine.ts';
import type { Place } from './attack.ts';
import type { Bottle } from './bottle.ts';
import type { Surroundings } from './surroundings.ts';

/** The address at which every cloud hands out credentials, and that of the biggest in IPv6. */
const METADATA = {
  address: '169.254.169.254',
  subnet: '169.254.169.0/24',
  subnet6: 'fd00:ec2::/64',
  address6: 'fd00:ec2::254',
};

/** What the agent's container has not, and some attacks want. */
const PRIVILEGES = ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN']
  .flatMap((capability) => ['--cap-add', capability])
  .concat('--security-opt', 'seccomp=unconfined');

type Variables = Readonly<Record<string, string>>;

/** Where shells stand beside that of the agent, and what scripts at each of them know. */
export interface Places {
  readonly containers: Readonly<Partial<Record<Place, string>>>;
  /** For scripts everywhere. */
  readonly names: Variables;
  /** For those at one place. */
  readonly own: Readonly<Partial<Record<Place, Variables>>>;
}

/** Starts everything that an attack, or its twin, wants to reach. */
export async function startPlaces(bottle: Bottle, around: Surroundings, outside: string): Promise<Places> {
  const { container, network, script } = around;
  const metadata = await network('metadata', '--ipv6', `--subnet=${METADATA.subnet}`, `--subnet=${METADATA.subnet6}`);
  const plain = await network('plain', '--internal');
  const other = await network('other', '--internal');
  const addresses = ['--ip', METADATA.address, '--ip6', METADATA.address6, '--alias', 'metadata.test'];
  await docker('network', 'connect', ...addresses, metadata, outside);
  await docker('network', 'connect', metadata, bottle.namespace);
  around.atEnd(async () => {
    await execa('docker', ['network', 'disconnect', '--force', metadata, bottle.namespace], { reject: false });
  });
  const containers = {
    outward: await container('outward', [
      '--network',
      bottle.outward,
      '--dns',
      await addressOf(outside, bottle.outward),
    ]),
    'beside the daemons': await container(
      'beside',
      ['--network', `container:${bottle.namespace}`, ...script('open-proxy.ts')],
      ['node', '/opt/open-proxy.ts'],
    ),
    'plain internal network': await container('plain', [
      ...['--network', plain, '--add-host', 'host.docker.internal:host-gateway'],
      ...['--volume', '/var/run/docker.sock:/var/run/docker.sock'],
    ]),
    privileged: await container('privileged', [...PRIVILEGES, '--network', bottle.internal]),
    'with the volumes': await container('volumes', ['--network', 'none', '--volumes-from', bottle.namespace]),
    'in the other bottle': await container('other', ['--network', other], ['python3', '-m', 'http.server', '8000']),
  };
  await docker('network', 'connect', metadata, containers.outward);
  const host = await startHostService();
  around.atEnd(host.close);
  const beside = containers['beside the daemons'];
  await until(
    async () => (await docker('logs', beside)).includes('ready') || undefined,
    async () => 'the open proxy does not start',
  );
  return {
    containers,
    names: {
      OUT6: METADATA.address6,
      GATEWAY: await gatewayOf(bottle.internal),
      HOST: addressOfHost(),
      HOST_PORT: String(host.port),
      OTHER: await addressOf(containers['in the other bottle'], other),
    },
    own: { 'plain internal network': { GATEWAY: await gatewayOf(plain) } },
  };
}

/** A service of the host, as an operator may have one: it listens everywhere. */
function startHostService(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((_request, response) => response.end('a service of the host'));
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '0.0.0.0', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      resolve({ port, close: () => server.closeAllConnections() ?? server.close() });
    });
  });
}

/** The address of a container on a network. */
export async function addressOf(container: string, network: string): Promise<string> {
  return await docker('inspect', '--format', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container);
}

async function gatewayOf(network: string): Promise<string> {
  return await docker('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', network);
}

function addressOfHost(): string {
  const all = Object.entries(networkInterfaces()).filter(([name]) => !/^(lo|docker|br-|veth)/.test(name));
  const found = all.flatMap(([, each]) => each ?? []).find(({ family, internal }) => family === 'IPv4' && !internal);
  return found?.address ?? '127.0.0.1';
}
