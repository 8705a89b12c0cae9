import type {
  INetworkPolicy,
  INetworkPolicyEgressRule,
  INetworkPolicyPeer,
} from 'kubernetes-models/networking.k8s.io/v1';
import type { Bottle } from '../bottle/schema.ts';
import { MODEL_PORT } from '../model/names.ts';
import { labelsOf, modelLabelsOf, namesOf } from './names.ts';

/** Where no bottle has business unless its manifest says so: private networks, the node itself, and the metadata of clouds. */
const NOT_PUBLIC = {
  // RFC 1918, RFC 6598, RFC 1122, RFC 3927 (169.254.169.254 hands out the node's credentials).
  '0.0.0.0/0': ['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'],
  // RFC 4193 (fd00:ec2::254 is metadata, too), RFC 4291.
  '::/0': ['fc00::/7', 'fe80::/10'],
} as const;

/** Where NodeLocal DNSCache answers, on clusters that have it. */
const NODE_LOCAL_DNS = '169.254.20.10/32';

/** Who may talk to the pod (nobody) and whom it may talk to, for networks that enforce it. The guard does not depend on it. */
export function networkPolicy(bottle: Bottle): INetworkPolicy {
  const labels = labelsOf(bottle);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: namesOf(bottle).workload, labels },
    spec: {
      podSelector: { matchLabels: labels },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
      egress: [
        NAMES,
        PUBLIC,
        ...(allowed(bottle).length === 0 ? [] : [{ to: [...allowed(bottle)] }]),
        ...(bottle.model === undefined ? [] : [{ to: [podsOf(modelLabelsOf(bottle))], ports: [MODEL] }]),
      ],
    },
  };
}

/** The bundle alone may ask the model, which may talk to nobody but, where it loads weights, the internet. */
export function modelNetworkPolicy(bottle: Bottle, isOnline: boolean): INetworkPolicy {
  const labels = modelLabelsOf(bottle);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: namesOf(bottle).model, labels },
    spec: {
      podSelector: { matchLabels: labels },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [podsOf(labelsOf(bottle))], ports: [MODEL] }],
      egress: isOnline ? [NAMES, PUBLIC] : [],
    },
  };
}

const MODEL = { protocol: 'TCP', port: MODEL_PORT } as const;

const NAMES: INetworkPolicyEgressRule = {
  to: [
    {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
      podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
    },
    { ipBlock: { cidr: NODE_LOCAL_DNS } },
  ],
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
};

const PUBLIC: INetworkPolicyEgressRule = {
  to: Object.entries(NOT_PUBLIC).map(([cidr, except]) => ({ ipBlock: { cidr, except: [...except] } })),
};

function podsOf(labels: Readonly<Record<string, string>>): INetworkPolicyPeer {
  return { podSelector: { matchLabels: { ...labels } } };
}

/** Private networks that the bottle opens by name. */
function allowed({ pipelock }: Bottle): readonly INetworkPolicyPeer[] {
  return (pipelock?.ip_allowlist ?? []).map((cidr) => ({ ipBlock: { cidr } }));
}
