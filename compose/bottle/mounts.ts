import { posix } from 'node:path';
import { type Path, quote } from '../../config/problem.ts';
import { type Mount, parseMount } from '../mount.ts';
import type { Fault } from './fault.ts';
import type { Bottle } from './schema.ts';

/** Absolute paths of what is around the bottle on the machine where it is rendered. */
export interface Surroundings {
  /** The file of the bottle. */
  readonly file: string;
  /** Where the rendered files go. */
  readonly output: string;
}

/** Names of the bundle's own volumes: who has them has the key of egress. */
export const OWN_VOLUMES = { data: 'data', authority: 'ca' } as const;

/** What on a host is as good as the host itself: no container of a bottle gets it, nor what is around it or in it. */
const OF_THE_HOST = [
  '/boot',
  '/dev',
  '/etc/shadow',
  '/proc',
  '/root/.ssh',
  '/run',
  '/sys',
  '/var/lib/containerd',
  '/var/lib/docker',
  '/var/run',
];

/** Programs and settings of a host, which it runs and reads as root: whoever writes there has it. */
const RUN_BY_THE_HOST = ['/bin', '/etc', '/lib', '/lib32', '/lib64', '/libx32', '/sbin', '/usr', '/var/spool'];

/** A home as a whole, with the keys and the start-up files of its user; or those alone. */
const HOME =
  /^\/((home|Users)(\/[^/]+)?|root)(\/\.(config|bashrc|bash_profile|profile|zshrc|(ssh|gnupg|aws|kube|docker)(\/.*)?))?$/;

/** Where the containers have files of ours. */
const OWN_PLACES = {
  agent: ['/etc/bottled-ca', '/proc', '/sys', '/dev'],
  sidecars: [
    '/etc/bottled',
    '/opt/bottled',
    '/proc',
    '/run',
    '/sys',
    '/dev',
    '/usr/local/bin',
    '/var/lib/bottled',
    '/var/lib/bottled-ca',
    '/var/run',
  ],
  model: ['/proc', '/run', '/sys', '/dev', '/var/run'],
} as const;

/** A mount and the key that it is written in. */
interface Written extends Mount {
  readonly path: Path;
  /** Where a bind leads to on this machine. */
  readonly leadsTo: string;
}

/** Mounts that would give the agent a way around the bundle, or that no engine takes. */
export function* mountFaults(bottle: Bottle, around: Surroundings): Generator<Fault> {
  const ofAgent = mountsOf(bottle, 'agent', around);
  const ofSidecars = mountsOf(bottle, 'sidecars', around);
  const ofModel = mountsOf(bottle, 'model', around);
  const unsound = new Set<Written>();
  for (const mount of [...ofAgent, ...ofSidecars, ...ofModel]) {
    for (const fault of sourceFaults(mount, bottle, around)) {
      unsound.add(mount);
      yield fault;
    }
  }
  const tmpfs = bottle.agent.tmpfs.map((target, index) => ({ path: ['agent', 'tmpfs', index], target }));
  yield* targetFaults([...tmpfs, ...ofAgent], OWN_PLACES.agent);
  yield* targetFaults(ofSidecars, OWN_PLACES.sidecars);
  yield* targetFaults(ofModel, OWN_PLACES.model);
  const isSound = (mount: Written) => mount.kind === 'bind' && !unsound.has(mount);
  yield* nestingFaults(ofAgent.filter(isSound), [...ofSidecars, ...ofModel].filter(isSound));
}

/** Whether `path` is `directory` or lies below it. Both normal and absolute. */
function isWithin(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}

function mountsOf(bottle: Bottle, service: keyof typeof OWN_PLACES, { file }: Surroundings): readonly Written[] {
  return (bottle[service]?.volumes ?? []).map((written, index) => {
    const mount = parseMount(written);
    const leadsTo = posix.resolve(posix.dirname(file), mount.source);
    return { ...mount, leadsTo, path: [service, 'volumes', index] };
  });
}

function* sourceFaults(mount: Written, bottle: Bottle, around: Surroundings): Generator<Fault> {
  const { path, source, leadsTo } = mount;
  if (mount.kind === 'volume') {
    if (Object.values<string>(OWN_VOLUMES).includes(source)) {
      yield { path, message: `${quote(source)} is the volume of the bundle`, hint: 'give it another name' };
    } else if (!VOLUME_NAME.test(source)) {
      yield { path, message: `${quote(source)} is no name of a volume`, hint: `for a directory write "./${source}"` };
    }
    return;
  }
  if (source.startsWith('~')) {
    yield { path, message: 'means another directory for each user', hint: 'write the whole path' };
    return;
  }
  const host = OF_THE_HOST.find((place) => isWithin(place, leadsTo) || isWithin(leadsTo, place));
  if (host !== undefined) {
    const relation = isWithin(leadsTo, host) ? `belongs to ${host}` : `holds ${host}`;
    yield { path, message: `${quote(source)} ${relation}: whoever has it has the host` };
    return;
  }
  const run = mount.readOnly ? undefined : RUN_BY_THE_HOST.find((place) => isWithin(leadsTo, place));
  if (run !== undefined) {
    const message = `${quote(source)} belongs to ${run}, which the host runs: whoever writes there has the host`;
    yield { path, message, hint: 'add ":ro"' };
    return;
  }
  if (HOME.test(leadsTo)) {
    const message = `${quote(source)} has the keys and settings of a user of the host`;
    yield { path, message, hint: 'mount a directory in it, e.g. "./workspace"' };
    return;
  }
  if (leadsTo.endsWith('.sock')) {
    yield { path, message: `${quote(source)} is a socket of the host: what listens there does what the agent says` };
    return;
  }
  const [own, what] =
    ourPlaces(bottle, around).find(([place]) => isWithin(place, leadsTo) || isWithin(leadsTo, place)) ?? [];
  if (own !== undefined) {
    yield {
      path,
      message: `${quote(source)} holds ${what} (${own})`,
      hint: 'mount a directory beside it, e.g. "./workspace"',
    };
  }
}

/** What decides on a bottle, or is none of the agent's business, on the machine where it is rendered. */
function ourPlaces({ data, secrets }: Bottle, { file, output }: Surroundings): readonly (readonly [string, string])[] {
  const device = data.driver_opts?.device ?? '';
  const places: [string, string][] = [[file, 'this file']];
  for (const name of RENDERED) places.push([posix.join(output, name), 'what is rendered from this file']);
  // The volume `data` as a directory of the host: the key of egress is in it.
  if (device.startsWith('/')) places.push([device, 'what the daemons keep']);
  for (const secret of Object.values(secrets)) if (secret.file !== undefined) places.push([secret.file, 'a secret']);
  return places.map(([place, what]) => [posix.resolve(posix.dirname(file), place), what]);
}

/** What `bottled render` writes. */
const RENDERED = ['config', 'compose.yaml', 'stack.yaml', 'kubernetes.yaml'];

const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

interface Target {
  readonly path: Path;
  readonly target: string;
}

/** Of programs, not of the kernel: browsers want more of it than engines give. */
const SHARED_MEMORY = '/dev/shm';

/** Two things at one place of a container, or something over what it has of ours. */
function* targetFaults(mounts: readonly Target[], own: readonly string[]): Generator<Fault> {
  const taken = new Map<string, string>();
  for (const { path, target } of mounts) {
    const place = posix.normalize(target).replace(/(?<=.)\/$/, '');
    const ours =
      path[0] === 'agent' && place === SHARED_MEMORY
        ? undefined
        : own.find((each) => isWithin(place, each) || isWithin(each, place));
    if (ours !== undefined) yield { path, message: `${quote(target)} would cover ${ours} of the container` };
    const other = taken.get(place);
    if (other !== undefined) yield { path, message: `${quote(target)} is taken already, by ${other}` };
    taken.set(place, `${path.at(-2)}[${path.at(-1)}]`);
  }
}

/** In a directory that it can write an agent can put a symbolic link, and the engine follows it on the host at the next start. */
function* nestingFaults(ofAgent: readonly Written[], ofOthers: readonly Written[]): Generator<Fault> {
  const writable = ofAgent.filter(({ readOnly }) => !readOnly);
  for (const mount of [...ofAgent, ...ofOthers]) {
    const outer = writable.find((each) => each.leadsTo !== mount.leadsTo && isWithin(mount.leadsTo, each.leadsTo));
    if (outer === undefined) continue;
    yield {
      path: mount.path,
      message: `lies in ${quote(outer.source)}, which the agent can write: a symbolic link there would lead anywhere on the host`,
      hint: `mount ${quote(outer.source)} alone`,
    };
  }
}
