import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { sidecarsImage } from '../container/engine.ts';
import type { Place } from './attack.ts';
import { type Bottle, startBottle } from './bottle.ts';
import { CREDENTIALS, LEAK } from './bottle-file.ts';
import { agentImage } from './engine.ts';
import { bundleLine, type Followed, follow } from './follow.ts';
import { GIT_IDENTITY, OUTSIDE_NAMES, writeOutside } from './outside.ts';
import { addressOf, type Places, startPlaces } from './places.ts';
import { createSurroundings } from './surroundings.ts';

const CONTAINERS = fileURLToPath(new URL('containers', import.meta.url));

/** A bottle, the world outside, and where it is wanted all around it that an attacker could want to reach. */
export interface World {
  readonly bottle: Bottle;
  /** What the daemons log: the daemon's name and its line. */
  readonly log: Followed;
  /** What arrives outside. */
  readonly outside: Followed;
  /** Runs a script of bash at a place; `word` is its `$N`. What it printed, and a last line `exit CODE`. */
  run(place: Place, script: string, word: string): Promise<string>;
  /** Resolves when everything that had reached the outside before has been told. */
  settled(): Promise<void>;
  /** Takes all of it down. Once it is down, it does nothing. */
  end(): Promise<void>;
}

export interface WorldOptions {
  readonly layout: 'bundle' | 'split';
  /** true: every place of {@link Place}; false: the agent's container and the daemons'. One world at a time can have them all. */
  readonly withPlaces: boolean;
}

type End = () => Promise<unknown> | unknown;

export async function startWorld(options: WorldOptions): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'bottled-attacks-'));
  const ends: End[] = [() => rmSync(directory, { recursive: true, force: true })];
  const end = async (): Promise<void> => {
    for (const each of ends.splice(0).reverse()) await each();
  };
  try {
    return { ...(await build(options, directory, ends)), end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function build(
  { layout, withPlaces }: WorldOptions,
  directory: string,
  ends: End[],
): Promise<Omit<World, 'end'>> {
  const name = `attacked-${randomBytes(3).toString('hex')}`;
  const images = { agent: await agentImage(), sidecars: await sidecarsImage() };
  await writeOutside(directory);
  cpSync(join(CONTAINERS, 'agent'), join(directory, 'agent'), { recursive: true });
  mkdirSync(join(directory, 'tools'));
  cpSync(join(CONTAINERS, 'shell-tool.ts'), join(directory, 'tools/shell-tool.ts'));
  mkdirSync(join(directory, 'project'));
  writeFileSync(join(directory, 'project/README'), 'a file of the project\n');
  const bottle = await startBottle({ name, directory, images, layout }, ends);

  const around = createSurroundings(name, directory, images.agent);
  ends.push(around.remove);
  const aliases = OUTSIDE_NAMES.flatMap((alias) => ['--network-alias', alias]);
  const outsideContainer = await around.container(
    'outside',
    [
      ...['--network', bottle.outward, ...aliases, '--volume', `${directory}/outside:/outside`],
      ...around.script('outside.ts'),
    ],
    ['node', '/opt/outside.ts'],
  );
  const outside = follow([outsideContainer], (line) => line);
  const log = follow(bottle.daemons, bundleLine);
  ends.push(outside.stop, log.stop);
  const OUT = await addressOf(outsideContainer, bottle.outward);
  const SIDE = await addressOf(bottle.namespace, bottle.internal);
  const places = withPlaces ? await startPlaces(bottle, around, outsideContainer) : NO_PLACES;
  const run = runner(bottle, places, {
    ...{ OUT, SIDE, LEAK, CREDENTIAL: CREDENTIALS.EGRESS_TOKEN_ORIGIN, CANARY: CREDENTIALS.CANARY },
  });

  let asked = 0;
  const settled = async (): Promise<void> => {
    asked += 1;
    const mark = `/settled-${asked}.`;
    const before = outside.length();
    await (await fetch(`http://${OUT}${mark}`)).text();
    await outside.wait(before, (line) => line.includes(mark), 10_000);
  };
  if ((await outside.wait(0, (line) => line.includes('"ready"'), 60_000)) === undefined) {
    throw new Error('the outside does not start');
  }
  const clone = 'git clone --quiet --mirror https://upstream.test/git/project.git /tmp/project.git';
  const cloned = await run('agent', clone, 'clone');
  if (!cloned.endsWith('exit 0')) throw new Error(`the agent cannot clone: ${cloned}`);
  return { bottle, log, outside, run, settled };
}

const CERTIFICATE_VARIABLES = ['CURL_CA_BUNDLE', 'GIT_SSL_CAINFO', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'];

const NO_PLACES: Places = { containers: {}, names: {}, own: {} };

/** What scripts know at the place where the agent is, and where its image stands elsewhere. */
const OWN: Readonly<Partial<Record<Place, Readonly<Record<string, string>>>>> = {
  agent: { EGRESS: 'egress:9099', WAIT: '1' },
  'agent with an open proxy': throughOpenProxy(),
  outward: trustingOutside(),
};

function runner(bottle: Bottle, places: Places, names: Readonly<Record<string, string>>): World['run'] {
  const containers: Readonly<Partial<Record<Place, string>>> = {
    ...places.containers,
    agent: bottle.agent,
    'agent with an open proxy': bottle.agent,
    'root of the daemons': bottle.containerOf('egress'),
    'the user of egress': bottle.containerOf('egress'),
  };
  return async (place, script, word) => {
    const container = containers[place];
    if (container === undefined) throw new Error(`nothing stands ${place}`);
    const isOfDaemons = place === 'root of the daemons' || place === 'the user of egress';
    const env = {
      ...{ HOME: '/tmp', WAIT: '10', ...GIT_IDENTITY, ...names, ...places.names },
      ...{ ...OWN[place], ...places.own[place], N: word },
    };
    const options = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    if (place === 'the user of egress') options.push('--user', 'egress');
    const text = isOfDaemons ? script : `. /attack/prelude.sh\n${script}`;
    const { all, exitCode } = await execa('docker', ['exec', ...options, container, 'bash', '-c', text], {
      all: true,
      reject: false,
      stdin: 'ignore',
      timeout: 60_000,
    });
    return `${all}\nexit ${exitCode}`;
  };
}

function trustingOutside(): Record<string, string> {
  return Object.fromEntries(CERTIFICATE_VARIABLES.map((name) => [name, '/outside-ca/authority.pem']));
}

function throughOpenProxy(): Record<string, string> {
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map((name) => [
    name,
    'http://egress:9999',
  ]);
  return { EGRESS: 'egress:9999', GIT_CONFIG_COUNT: '0', ...Object.fromEntries(proxies), ...trustingOutside() };
}
