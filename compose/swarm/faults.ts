import type { Fault } from '../bottle/fault.ts';
import type { Bottle } from '../bottle/schema.ts';

/** The longest name of a secret in Swarm, less what tells one version of a file from the next ("-1" to "-999"). */
const LONGEST_NAME = 64 - 4;

/** What of a bottle Swarm cannot do. */
export function* swarmFaults({ name: bottle, sidecars, secrets }: Bottle): Generator<Fault> {
  if (sidecars.docker_socket !== undefined) {
    yield {
      path: ['sidecars', 'docker_socket'],
      message: 'is for Compose: on Swarm it would open whichever node the bundle comes to',
      hint: 'give the tool driver: local',
    };
  }
  for (const name of Object.keys(secrets)) {
    const length = bottle.length + 1 + name.length;
    if (length <= LONGEST_NAME) continue;
    yield {
      path: ['secrets', name],
      message: `is too long for Swarm: "${bottle}-${name}" has ${length} characters, and ${LONGEST_NAME} are the most`,
      hint: 'shorten it, or the name of the bottle',
      ofKey: true,
    };
  }
}
