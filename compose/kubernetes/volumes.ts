import type { IPersistentVolumeClaim, IVolume, IVolumeMount } from 'kubernetes-models/v1';
import { OWN_VOLUMES } from '../bottle/mounts.ts';
import type { Bottle } from '../bottle/schema.ts';
import { modelVolumes } from '../model/service.ts';
import { type Mount, parseMount } from '../mount.ts';
import { type BottlePlan, PATHS, type SidecarPlan } from '../plan.ts';
import { RUN_BYTES, TEMPORARY_BYTES } from '../service.ts';
import { labelsOf, namesOf, objectName } from './names.ts';
import { quantity } from './quantity.ts';

/** Volumes of the pod, and where each container has them. */

/** More than a certificate needs. */
const CERTIFICATE_SIZE = '1Mi';

export function podVolumes({ bottle, sidecars }: BottlePlan): IVolume[] {
  const names = namesOf(bottle);
  const mounts = [...bottle.agent.volumes, ...bottle.sidecars.volumes].map(parseMount);
  const sources = new Map(mounts.map((mount) => [mount.source, mount]));
  return [
    { name: 'config', configMap: { name: names.config } },
    { name: 'guard', configMap: { name: names.guard } },
    ...secretVolumes(sidecars, names.secret),
    { name: OWN_VOLUMES.data, persistentVolumeClaim: { claimName: names.data } },
    { name: OWN_VOLUMES.authority, emptyDir: { sizeLimit: CERTIFICATE_SIZE } },
    { name: 'run', emptyDir: { medium: 'Memory', sizeLimit: quantity(RUN_BYTES) } },
    { name: 'tmp', emptyDir: { sizeLimit: quantity(TEMPORARY_BYTES) } },
    ...bottle.agent.tmpfs.map((path) => ({ name: temporaryName(path), emptyDir: { medium: 'Memory' } })),
    ...[...sources.values()].map((mount) => volumeOf(bottle, mount)),
  ];
}

/** A claim for what is named; a directory of one machine is an empty one in a pod. */
export function volumeOf(bottle: Bottle, mount: Mount): IVolume {
  return mount.kind === 'volume'
    ? { name: mountName(mount), persistentVolumeClaim: { claimName: namesOf(bottle).claim(mount.source) } }
    : { name: mountName(mount), emptyDir: {} };
}

/** What is kept when the pod is gone: first what the daemons keep. */
export function claims(bottle: Bottle): IPersistentVolumeClaim[] {
  const { agent, sidecars, data } = bottle;
  const names = namesOf(bottle);
  const named = new Set([...agent.volumes, ...sidecars.volumes].flatMap(volumeNames));
  const ofModel = new Set(modelVolumes(bottle).filter((volume) => !named.has(volume)));
  return [
    claimOf(bottle, names.data, data.size),
    ...[...named].map((volume) => claimOf(bottle, names.claim(volume), data.size)),
    ...[...ofModel].map((volume) => claimOf(bottle, names.claim(volume), bottle.model?.size ?? data.size)),
  ];
}

function volumeNames(written: string): readonly string[] {
  const { kind, source } = parseMount(written);
  return kind === 'volume' ? [source] : [];
}

function claimOf(bottle: Bottle, name: string, bytes: number): IPersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, labels: labelsOf(bottle) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(bottle.data.storage_class === undefined ? {} : { storageClassName: bottle.data.storage_class }),
      resources: { requests: { storage: quantity(bytes) } },
    },
  };
}

export function sidecarMounts(plan: BottlePlan): IVolumeMount[] {
  const daemons = new Set(plan.sidecars.flatMap(({ secrets }) => secrets.map(({ daemon }) => daemon)));
  return [
    { name: 'config', mountPath: PATHS.config, readOnly: true },
    ...[...daemons].map((daemon) => ({
      name: secretVolumeName(daemon),
      mountPath: `${PATHS.secrets}/${daemon}`,
      readOnly: true,
    })),
    { name: OWN_VOLUMES.data, mountPath: PATHS.data },
    ...sharedMounts,
    ...plan.bottle.sidecars.volumes.map(mountOf),
  ];
}

/** Volumes that outlive the pod and are the agent's to write, where the guard has them; a new one belongs to root. */
export function keptMounts({ agent }: Bottle): (IVolumeMount & { readonly mountPath: string })[] {
  return agent.volumes
    .map(parseMount)
    .filter(({ kind, readOnly }) => kind === 'volume' && !readOnly)
    .map((mount) => ({ name: mountName(mount), mountPath: `/agent/${mountName(mount)}` }));
}

/** What the guard prepares for the bundle. */
export const sharedMounts: readonly IVolumeMount[] = [
  { name: OWN_VOLUMES.authority, mountPath: PATHS.authority },
  { name: 'run', mountPath: '/run' },
  { name: 'tmp', mountPath: '/tmp' },
];

export function agentMounts({ agent }: Bottle): IVolumeMount[] {
  return [
    { name: OWN_VOLUMES.authority, mountPath: PATHS.agentAuthority, readOnly: true },
    ...agent.tmpfs.map((path) => ({ name: temporaryName(path), mountPath: path })),
    ...agent.volumes.map(mountOf),
  ];
}

/** A volume for each daemon, so that each has a directory with its own secrets. */
function secretVolumes(sidecars: readonly SidecarPlan[], secretName: string): IVolume[] {
  const secrets = sidecars.flatMap((sidecar) => sidecar.secrets);
  return [...new Set(secrets.map(({ daemon }) => daemon))].map((daemon) => ({
    name: secretVolumeName(daemon),
    secret: {
      secretName,
      defaultMode: 0o400,
      items: secrets.filter((secret) => secret.daemon === daemon).map(({ name }) => ({ key: name, path: name })),
    },
  }));
}

function secretVolumeName(daemon: string): string {
  return `secrets-${daemon}`;
}

function temporaryName(path: string): string {
  return `memory-${objectName(path.slice(1))}`;
}

function mountName({ kind, source }: Mount): string {
  return kind === 'volume' ? `kept-${objectName(source)}` : `empty-${objectName(source.replace(/^\.\//, ''))}`;
}

export function mountOf(written: string): IVolumeMount {
  const mount = parseMount(written);
  return { name: mountName(mount), mountPath: mount.target, ...(mount.readOnly ? { readOnly: true } : {}) };
}
