import type { Bottle } from '../bottle/schema.ts';
import { modelServer } from '../model/server.ts';
import { healthcheckOf, networksOf, programOf, tokenOf, unlessEmpty } from '../model/service.ts';
import type { BottlePlan } from '../plan.ts';
import { LOGGING, mountOf } from '../service.ts';
import { placementOf, resourcesOf } from './resources.ts';

/** What nodes call their GPUs (dockerd's `node-generic-resources`), in the words of NVIDIA's documentation. */
const GPU = 'NVIDIA-GPU';

/** The service of a bottle's model, as `docker stack deploy` reads it. */
export function modelStackService(plan: BottlePlan, model: NonNullable<Bottle['model']>): object {
  const server = modelServer(plan.bottle, model);
  const { gpu, sharedMemory, user } = server;
  return {
    ...programOf(server),
    user: user === undefined ? undefined : `${user}:${user}`,
    ...networksOf(server),
    cap_drop: ['ALL'],
    cap_add: unlessEmpty(server.capabilities),
    read_only: server.isReadOnly || undefined,
    secrets: tokenOf(server, 0o400),
    volumes: [
      ...server.volumes.map((written) => mountOf(plan, written)),
      ...server.tmpfs.map((target) => ({ type: 'tmpfs', target })),
      // Swarm has no word for shm_size.
      ...(sharedMemory === undefined ? [] : [{ type: 'tmpfs', target: '/dev/shm', tmpfs: { size: sharedMemory } }]),
    ],
    healthcheck: healthcheckOf(server),
    logging: LOGGING,
    deploy: {
      replicas: 1,
      endpoint_mode: 'dnsrr',
      placement: placementOf(model.placement),
      resources: {
        ...resourcesOf({ cpus: server.cpus, mem_limit: server.memory, pids_limit: server.processes }),
        ...(gpu === false ? {} : { reservations: { generic_resources: [genericResource(Number(gpu))] } }),
      },
      restart_policy: { condition: 'any', delay: '5s' },
      update_config: { order: 'stop-first' },
    },
  };
}

function genericResource(value: number): object {
  return { discrete_resource_spec: { kind: GPU, value } };
}
