import type { IDeployment } from 'kubernetes-models/apps/v1';
import type { IContainer, IPodSpec, IService, IVolume, IVolumeMount } from 'kubernetes-models/v1';
import type { Bottle } from '../bottle/schema.ts';
import { type Comment, yamlText } from '../document.ts';
import { escapedText } from '../interpolation.ts';
import { MODEL_PORT, MODEL_SERVICE } from '../model/names.ts';
import { HEALTH_PATH, type ModelServer, modelServer, TOKEN_DIRECTORY, TOKEN_FILE } from '../model/server.ts';
import { parseMount } from '../mount.ts';
import { modelLabelsOf, namesOf, objectName } from './names.ts';
import { modelNetworkPolicy } from './network-policy.ts';
import { quantity } from './quantity.ts';
import { mountOf, volumeOf } from './volumes.ts';

/** The objects of a bottle's model: a pod of its own, its name for the bundle, and who may talk to it. */
export function modelDocuments(bottle: Bottle): readonly string[] {
  if (bottle.model === undefined) return [];
  const server = modelServer(bottle, bottle.model);
  return [
    yamlText({ header: '', value: service(bottle), comments: [] }),
    yamlText({
      header: '',
      value: modelNetworkPolicy(bottle, server.isOnline),
      comments: [
        [
          ['spec', 'ingress'],
          'The bundle alone asks it; the guard keeps the agent, which is in the same pod, from that.',
        ],
        [['spec', 'egress'], server.isOnline ? 'Out, to load weights.' : 'Nowhere: weights have to be in a volume.'],
      ],
    }),
    yamlText({ header: '', value: deployment(bottle, server), comments: commentsOf(server) }),
  ];
}

function service(bottle: Bottle): IService {
  const labels = { ...modelLabelsOf(bottle) };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: MODEL_SERVICE, labels },
    spec: { selector: labels, ports: [{ port: MODEL_PORT, protocol: 'TCP' }] },
  };
}

function deployment(bottle: Bottle, server: ModelServer): IDeployment {
  const labels = { ...modelLabelsOf(bottle) };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: namesOf(bottle).model, labels },
    spec: {
      replicas: 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec(bottle, server) },
    },
  };
}

function podSpec(bottle: Bottle, server: ModelServer): IPodSpec {
  const volumes = mountedVolumes(bottle, server);
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    ...(server.isOnline ? {} : { dnsPolicy: 'None' as const, dnsConfig: { nameservers: ['127.0.0.1'] } }),
    containers: [container(server, volumes)],
    ...(volumes.length === 0 ? {} : { volumes: volumes.map(({ volume }) => volume) }),
  };
}

/** A volume of the pod, and where its one container has it. */
interface Mounted {
  readonly volume: IVolume;
  readonly mounts: readonly IVolumeMount[];
}

function mountedVolumes(bottle: Bottle, server: ModelServer): readonly Mounted[] {
  const { token, sharedMemory } = server;
  const written = new Map(server.volumes.map((each) => [parseMount(each).source, parseMount(each)]));
  const mounted: Mounted[] = [...written.values()].map((mount) => ({
    volume: volumeOf(bottle, mount),
    mounts: server.volumes.filter((each) => parseMount(each).source === mount.source).map(mountOf),
  }));
  for (const path of server.tmpfs) {
    const name = `memory-${objectName(path.slice(1))}`;
    mounted.push({ volume: { name, emptyDir: { medium: 'Memory' } }, mounts: [{ name, mountPath: path }] });
  }
  if (sharedMemory !== undefined) {
    const emptyDir = { medium: 'Memory', sizeLimit: quantity(sharedMemory) };
    mounted.push({ volume: { name: 'shm', emptyDir }, mounts: [{ name: 'shm', mountPath: '/dev/shm' }] });
  }
  if (token !== undefined) {
    const secretName = namesOf(bottle).secret;
    const secret = { secretName, defaultMode: 0o400, items: [{ key: token, path: TOKEN_FILE }] };
    const mount = { name: 'token', mountPath: TOKEN_DIRECTORY, readOnly: true };
    mounted.push({ volume: { name: 'token', secret }, mounts: [mount] });
  }
  return mounted;
}

function container(server: ModelServer, volumes: readonly Mounted[]): IContainer {
  const { entrypoint, environment, user } = server;
  const health = { httpGet: { path: HEALTH_PATH, port: MODEL_PORT }, periodSeconds: PERIOD, timeoutSeconds: 5 };
  const mounts = volumes.flatMap((each) => each.mounts);
  return {
    name: MODEL_SERVICE,
    image: server.image,
    ...(entrypoint === undefined ? {} : { command: entrypoint.map(escapedText) }),
    args: server.command.map(escapedText),
    env: Object.entries(environment ?? {}).map(([name, value]) => ({ name, value: escapedText(value) })),
    startupProbe: { ...health, failureThreshold: Math.max(1, Math.ceil(server.startPeriod / 1000 / PERIOD)) },
    readinessProbe: { ...health, failureThreshold: 3 },
    livenessProbe: { ...health, failureThreshold: 6 },
    securityContext: {
      ...(user === undefined ? {} : { runAsUser: user, runAsGroup: user, runAsNonRoot: true }),
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: server.isReadOnly,
      capabilities: {
        drop: ['ALL'],
        ...(server.capabilities.length === 0 ? {} : { add: [...server.capabilities] }),
      },
    },
    ...resourcesOf(server),
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts }),
  };
}

/** Seconds between two probes. */
const PERIOD = 10;

function resourcesOf({ gpu, memory, cpus }: ModelServer): Pick<IContainer, 'resources'> {
  const limits = {
    ...(gpu === false ? {} : { 'nvidia.com/gpu': String(Number(gpu)) }),
    ...(memory === undefined ? {} : { memory: quantity(memory) }),
    ...(cpus === undefined ? {} : { cpu: String(cpus) }),
  };
  return Object.keys(limits).length === 0 ? {} : { resources: { limits } };
}

function commentsOf({ isOnline, image }: ModelServer): readonly Comment[] {
  const pod = ['spec', 'template', 'spec'];
  const first = [...pod, 'containers', 0];
  return [
    [['spec', 'strategy'], 'Two pods would want its GPUs and its volume twice.'],
    [
      [...pod, 'enableServiceLinks'],
      'Variables that tell services would be called VLLM_SIDECAR_…, which vLLM takes for settings of its own.',
    ],
    [first, `The model server (${image}). The agent asks it by way of egress, supervise directly.`],
    [[...first, 'startupProbe'], 'Until it is ready, which can take many minutes, nothing waits for it.'],
    ...(isOnline
      ? []
      : [[[...pod, 'dnsPolicy'], 'It resolves no names: a name that is looked up is a message, too.'] as const]),
  ];
}
