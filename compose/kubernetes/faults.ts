import type { Fault } from '../bottle/fault.ts';
import type { Bottle } from '../bottle/schema.ts';
import { parseMount } from '../mount.ts';
import { agentUserOf } from './agent-user.ts';

/** What of a bottle a cluster cannot do, or the guard cannot guard. */
export function* kubernetesFaults(bottle: Bottle): Generator<Fault> {
  if (agentUserOf(bottle) === undefined) {
    yield {
      path: ['agent', 'user'],
      message: 'is not a user for Kubernetes, where the number is what tells the agent from the bundle',
      hint: 'write a number that is not 0 and not 10001 to 10005, e.g. "1000"',
    };
  }
  if (bottle.sidecars.docker_socket !== undefined) {
    yield {
      path: ['sidecars', 'docker_socket'],
      message: 'is for Compose: the nodes of a cluster have no Docker to speak to',
      hint: 'give the tool driver: local',
    };
  }
}

/** What of a bottle means something else on a cluster. */
export function* kubernetesWarnings(bottle: Bottle): Generator<Fault> {
  for (const service of ['agent', 'sidecars', 'model'] as const) {
    for (const [index, written] of (bottle[service]?.volumes ?? []).entries()) {
      const { kind, source, target } = parseMount(written);
      if (kind !== 'bind') continue;
      yield {
        path: [service, 'volumes', index],
        message: `${source} is a directory of one machine: in a pod it is an empty one, gone with the pod`,
        hint: `name a volume to keep it, e.g. "work:${target}"`,
      };
    }
  }
}
