import { createHash } from 'node:crypto';
import type { IDeployment } from 'kubernetes-models/apps/v1';
import type { IJob } from 'kubernetes-models/batch/v1';
import type { IConfigMap } from 'kubernetes-models/v1';
import type { Bottle } from '../bottle/schema.ts';
import { type Comment, yamlText } from '../document.ts';
import { modelSecrets } from '../model/service.ts';
import { type BottlePlan, HEALTH_PORT, USERS } from '../plan.ts';
import { guardRuleset } from './guard.ts';
import { modelDocuments } from './model.ts';
import { labelsOf, namesOf } from './names.ts';
import { networkPolicy } from './network-policy.ts';
import { GUARD_FILE, podSpec } from './pod.ts';
import { PRIVATE_PORTS, publicPorts } from './ports.ts';
import { claims } from './volumes.ts';

/** All objects of a bottle as one file for `kubectl apply`. */
export function renderKubernetes(plan: BottlePlan): ReadonlyMap<string, string> {
  const { bottle } = plan;
  const ruleset = guardRuleset({
    daemonUsers: Object.values(USERS),
    publicPorts: publicPorts(plan.daemons),
    privatePorts: PRIVATE_PORTS,
    healthPort: HEALTH_PORT,
  });
  const names = namesOf(bottle);
  const [data, ...others] = claims(bottle);
  const documents = [
    yamlText({
      header: headerOf(plan),
      value: configMap(bottle, names.config, Object.fromEntries(plan.files)),
      comments: [
        [['data'], "The daemons' own files. They see a change within a minute and take it without a restart."],
      ],
    }),
    yamlText({
      header: '',
      value: configMap(bottle, names.guard, { [GUARD_FILE]: ruleset }),
      comments: [[['data'], 'Who of the pod may talk to whom. See docs/kubernetes.md.']],
    }),
    yamlText({ header: '', value: { ...data }, comments: [[['spec'], 'What the daemons must not lose.']] }),
    ...others.map((claim) => yamlText({ header: '', value: claim, comments: [] })),
    yamlText({ header: '', value: networkPolicy(bottle), comments: policyComments(bottle) }),
    ...modelDocuments(bottle),
    workloadText(plan, createHash('sha256').update(ruleset).digest('hex')),
  ];
  return new Map([['kubernetes.yaml', documents.join('---\n')]]);
}

function configMap(bottle: Bottle, name: string, data: Record<string, string>): IConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: labelsOf(bottle) }, data };
}

/** An agent that is always there is a Deployment; one that does its work and ends is a Job. */
function workloadText(plan: BottlePlan, digest: string): string {
  const { bottle } = plan;
  const labels = { ...labelsOf(bottle) };
  const metadata = { name: namesOf(bottle).workload, labels };
  const podMetadata = {
    labels,
    annotations: { 'kubectl.kubernetes.io/default-container': 'agent', 'bottled/guard-sha256': digest },
  };
  const { restart } = bottle.agent;
  if (restart === 'always' || restart === 'unless-stopped') {
    const deployment: IDeployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: { metadata: podMetadata, spec: podSpec(plan, 'Always') },
      },
    };
    return yamlText({
      header: '',
      value: deployment,
      comments: [
        [['spec', 'strategy'], 'Two pods must not write one volume.'],
        ...podComments(['spec', 'template', 'spec']),
      ],
    });
  }
  const job: IJob = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata,
    spec: {
      backoffLimit: restart === 'no' ? 0 : 6,
      podReplacementPolicy: 'Failed',
      template: { metadata: podMetadata, spec: podSpec(plan, restart === 'no' ? 'Never' : 'OnFailure') },
    },
  };
  return yamlText({
    header: '',
    value: job,
    comments: [
      [['kind'], `A Job, for "restart: ${restart}" says that the agent ends; "restart: always" makes a Deployment.`],
      [['spec', 'podReplacementPolicy'], 'Two pods must not write one volume.'],
      ...podComments(['spec', 'template', 'spec']),
    ],
  });
}

function headerOf({ bottle, sidecars }: BottlePlan): string {
  const ofSidecars = sidecars.flatMap(({ secrets }) => secrets.map(({ name }) => name));
  const names = [...new Set([...ofSidecars, ...modelSecrets(bottle)])];
  const files = names.map((name) => `--from-file=${shellWord(`${name}=${bottle.secrets[name]?.file ?? `./${name}`}`)}`);
  const secret =
    names.length === 0
      ? ''
      : `
The Secret is yours to make; no credential is in this file:

  kubectl create secret generic ${namesOf(bottle).secret} ${files.join(' ')}
`;
  return `The bottle "${bottle.name}" on Kubernetes (1.29 or newer), made from bottle.yaml by: bottled render kubernetes. See docs/kubernetes.md.
${secret}
  kubectl apply -f kubernetes.yaml

The namespace must let an init container have NET_ADMIN (Pod Security level "privileged").`;
}

/** For a command that people paste into a shell. */
function shellWord(text: string): string {
  return /^[\w./=@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function policyComments({ model, pipelock }: Bottle): readonly Comment[] {
  if (model === undefined) return POLICY_COMMENTS;
  const index = (pipelock?.ip_allowlist ?? []).length === 0 ? 2 : 3;
  return [...POLICY_COMMENTS, [['spec', 'egress', index], 'The model server.']];
}

const POLICY_COMMENTS: readonly Comment[] = [
  [['spec', 'ingress'], 'Nobody. The probes of the node are not meant by this.'],
  [['spec', 'egress', 0], 'Names, for the bundle; the guard keeps them from the agent.'],
  [
    ['spec', 'egress', 1],
    'The internet, but no private network and no metadata of a cloud. pipelock.ip_allowlist in bottle.yaml opens private ones.',
  ],
];

function podComments(pod: readonly string[]): readonly Comment[] {
  const guard = [...pod, 'initContainers', 0];
  const sidecars = [...pod, 'initContainers', 1];
  const container = [...pod, 'containers', 0];
  return [
    [
      [...pod, 'automountServiceAccountToken'],
      'No token for the API of the cluster, and no variables that tell its services.',
    ],
    [
      [...pod, 'hostAliases'],
      'The agent resolves no names: these are the ones it needs, on the loopback that the pod shares.',
    ],
    [
      [...pod, 'terminationGracePeriodSeconds'],
      'What the agent may take, and then the bundle: 12 s, above its own 8 s.',
    ],
    [
      guard,
      'The guard: containers of a pod share one network, so rules by user keep the agent to the ports of the bundle. Where it fails, nothing starts.',
    ],
    [
      [...guard, 'args'],
      "After the rules: a directory in memory is open to all users at first. With the sticky bit no daemon can rename what is another's, and egress alone writes its certificate.",
    ],
    [sidecars, 'The bundle, as a native sidecar: ready before the agent starts, ended after it.'],
    [[...sidecars, 'livenessProbe'], "The loop of the init. A daemon that fails is the init's own matter."],
    [
      [...sidecars, 'securityContext', 'capabilities'],
      'What the init needs to run each daemon as a user of its own. The daemons have none of it.',
    ],
    [container, 'The agent.'],
    [
      [...container, 'env'],
      'How programs find the bundle. No credential is here: egress puts those in, and the agent never has them.',
    ],
    [[...container, 'securityContext', 'runAsUser'], 'What the guard knows it by: it can become no other user.'],
  ];
}
