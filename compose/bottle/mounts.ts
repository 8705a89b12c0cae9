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
  '/run/containerd',
  '/run/docker.sock',
  '/run/podman',
  '/sys',
  '/var/lib/containerd',
  '/var/lib/docker',
  '/var/run',
];

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
  yield* targetFaults(ofAgent, OWN_PLACES.agent, bottle.agent.tmpfs);
  yield* targetFaults(ofSidecars, OWN_PLACES.sidecars, []);
  yield* targetFaults(ofModel, OWN_PLACES.model, []);
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

function* sourceFaults(mount: Written, { secrets }: Bottle, { file, output }: Surroundings): Generator<Fault> {
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
  if (leadsTo.endsWith('.sock')) {
    yield { path, message: `${quote(source)} is a socket of the host: what listens there does what the agent says` };
    return;
  }
  const config = posix.join(output, 'config');
  const own = [file, config, ...Object.values(secrets).flatMap((secret) => secret.file ?? [])]
    .map((each) => posix.resolve(posix.dirname(file), each))
    .find((each) => isWithin(each, leadsTo) || isWithin(leadsTo, each));
  if (own !== undefined) {
    const what = own === file ? 'this file' : own === config ? 'what is rendered from this file' : 'a secret';
    yield {
      path,
      message: `${quote(source)} holds ${what} (${own})`,
      hint: 'mount a directory beside it, e.g. "./workspace"',
    };
  }
}

const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

function* targetFaults(mounts: readonly Written[], own: readonly string[], tmpfs: readonly string[]): Generator<Fault> {
  const taken = new Map<string, string>(tmpfs.map((target) => [posix.normalize(target), 'tmpfs']));
  for (const { path, target } of mounts) {
    const place = posix.normalize(target).replace(/(?<=.)\/$/, '');
    const ours = own.find((each) => isWithin(place, each) || isWithin(each, place));
    if (ours !== undefined) yield { path, message: `${quote(target)} would cover ${ours} of the container` };
    const other = taken.get(place);
    if (other !== undefined) yield { path, message: `${quote(target)} is taken already, by ${other}` };
    taken.set(place, `volumes[${path.at(-1)}]`);
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
