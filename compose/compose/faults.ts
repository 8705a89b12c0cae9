import type { Fault } from '../bottle/fault.ts';
import type { Bottle } from '../bottle/schema.ts';

/** What of a bottle Compose cannot do. */
export function* composeFaults({ secrets }: Bottle): Generator<Fault> {
  for (const [name, { external }] of Object.entries(secrets)) {
    if (external === undefined) continue;
    yield {
      path: ['secrets', name, 'external'],
      message: 'is for Swarm and Kubernetes: Compose keeps no secrets',
      hint: `write file: ./secrets/${name}`,
    };
  }
}
