import type { IContainer, IEnvVar, IPodSpec } from 'kubernetes-models/v1';
import { parseDuration } from '../../config/duration.ts';
import { splitWords } from '../../init/bundle/words.ts';
import type { Bottle } from '../bottle/schema.ts';
import { escapedText } from '../interpolation.ts';
import {
  type BottlePlan,
  HEALTH_PORT,
  PATHS,
  SIDECAR_CAPABILITIES,
  SIDECARS_STOP_GRACE_PERIOD,
  USERS,
} from '../plan.ts';
import { agentUserOf } from './agent-user.ts';
import { quantity } from './quantity.ts';
import { agentMounts, keptMounts, podVolumes, sharedMounts, sidecarMounts } from './volumes.ts';

/** Where the guard finds its rules. */
const GUARD_DIRECTORY = '/etc/bottled-guard';
export const GUARD_FILE = 'guard.nft';

/** Guard, bundle, agent: each starts when the one before it has done its part. */
export function podSpec(plan: BottlePlan, restartPolicy: 'Always' | 'OnFailure' | 'Never'): IPodSpec {
  const { bottle } = plan;
  return {
    restartPolicy,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    shareProcessNamespace: false,
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    hostAliases: [{ ip: '127.0.0.1', hostnames: plan.daemons.filter((daemon) => daemon !== 'pipelock') }],
    terminationGracePeriodSeconds: graceSeconds(bottle),
    initContainers: [guard(plan), bundle(plan)],
    containers: [agent(plan)],
    volumes: podVolumes(plan),
  };
}

/** The agent's own time, then the bundle's: Kubernetes ends the bundle after the agent. */
function graceSeconds({ agent }: Bottle): number {
  return Math.ceil((agent.stop_grace_period + (parseDuration(SIDECARS_STOP_GRACE_PERIOD) ?? 0)) / 1000);
}

function guard({ bottle }: BottlePlan): IContainer {
  const kept = keptMounts(bottle);
  return {
    name: 'guard',
    image: bottle.sidecars.image,
    command: ['/bin/sh', '-ec'],
    args: [
      guardScript(
        bottle,
        kept.map(({ mountPath }) => mountPath),
      ),
    ],
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      ...HARDENED,
      capabilities: { drop: ['ALL'], add: ['CHOWN', 'NET_ADMIN'] },
    },
    resources: { limits: { cpu: '500m', memory: '64Mi' } },
    volumeMounts: [{ name: 'guard', mountPath: GUARD_DIRECTORY, readOnly: true }, ...sharedMounts, ...kept],
  };
}

/** Whoever changes the mode of a directory here has to own it, since the guard has no FOWNER. */
function guardScript(bottle: Bottle, kept: readonly string[]): string {
  const { authority } = PATHS;
  const { uid, gid } = guardedUserOf(bottle);
  return [
    `nft -f ${GUARD_DIRECTORY}/${GUARD_FILE}`,
    'chmod 1777 /run /tmp',
    `chown 0:0 ${authority}`,
    `chmod 0755 ${authority}`,
    `chown ${USERS.egress}:${USERS.egress} ${authority}`,
    ...kept.map((path) => `chown ${uid}:${gid} ${path}`),
    '',
  ].join('\n');
}

const HARDENED = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, privileged: false } as const;

function bundle(plan: BottlePlan): IContainer {
  const { bottle, sidecars } = plan;
  const environment = sidecars.flatMap((sidecar) => [...sidecar.environment]);
  const ready = { path: '/readyz', port: HEALTH_PORT };
  return {
    name: 'sidecars',
    image: bottle.sidecars.image,
    restartPolicy: 'Always',
    env: variables([...environment, ['BOTTLED_LISTEN', `:${HEALTH_PORT}`]]),
    startupProbe: { httpGet: ready, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 60 },
    readinessProbe: { httpGet: ready, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
    livenessProbe: {
      httpGet: { path: '/livez', port: HEALTH_PORT },
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 3,
    },
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      ...HARDENED,
      capabilities: { drop: ['ALL'], add: [...SIDECAR_CAPABILITIES] },
    },
    ...resourcesOf(bottle.sidecars),
    volumeMounts: sidecarMounts(plan),
  };
}

function agent({ bottle, agent: { environment } }: BottlePlan): IContainer {
  const { image, entrypoint, command, working_dir, tty, stdin_open, read_only } = bottle.agent;
  const { uid, gid } = guardedUserOf(bottle);
  return {
    name: 'agent',
    image,
    ...(entrypoint === undefined ? {} : { command: wordsOf(entrypoint) }),
    ...(command === undefined ? {} : { args: wordsOf(command) }),
    ...(working_dir === undefined ? {} : { workingDir: working_dir }),
    env: variables([...environment]),
    ...(tty ? { tty } : {}),
    ...(stdin_open ? { stdin: true } : {}),
    securityContext: {
      runAsUser: uid,
      runAsGroup: gid,
      runAsNonRoot: true,
      ...HARDENED,
      readOnlyRootFilesystem: read_only,
      capabilities: { drop: ['ALL'] },
    },
    ...resourcesOf(bottle.agent),
    volumeMounts: agentMounts(bottle),
  };
}

function guardedUserOf(bottle: Bottle): { readonly uid: number; readonly gid: number } {
  const user = agentUserOf(bottle);
  if (user === undefined) throw new RangeError(`agent.user: "${bottle.agent.user}" cannot be told from the bundle`);
  return user;
}

function wordsOf(written: string | readonly string[]): string[] {
  if (typeof written !== 'string') return written.map(escapedText);
  const split = splitWords(written);
  if (!split.ok) throw new RangeError(`"${written}" ${split.message}`);
  return split.words.map(escapedText);
}

function variables(entries: readonly (readonly [string, string])[]): IEnvVar[] {
  return entries.map(([name, value]) => ({ name, value: escapedText(value) }));
}

/** pids_limit is no matter of a pod: the kubelet's podPidsLimit is the node's. */
function resourcesOf({ cpus, mem_limit }: Bottle['agent'] | Bottle['sidecars']): Pick<IContainer, 'resources'> {
  const limits = {
    ...(cpus === undefined ? {} : { cpu: String(cpus) }),
    ...(mem_limit === undefined ? {} : { memory: quantity(mem_limit) }),
  };
  return Object.keys(limits).length === 0 ? {} : { resources: { limits } };
}
